"""Our node against a stranger's controller: the spool, and whatever arrives."""

import json
from typing import Any

import pytest

from tests.conformance.conftest import INSTANCE, Bench, Wired
from tests.conformance.device_side import (
    LIMIT,
    a_path,
    making,
)
from tests.conformance.wire_peer import Json, stamp

pytestmark = pytest.mark.usefixtures("steady")


def test_a_final_reply_is_kept_until_an_ack_names_it(bench: Bench, steady: Wired) -> None:
    kept, named = making(bench, a_path(bench)), making(bench, a_path(bench))
    for command in (kept, named):
        bench.order("steady", command)
        bench.outcome(command)
    ack = {"at": stamp(), "replies": [named["id"], "never-heard-of"], "more": 1}
    bench.judge.publish(bench.topic("steady", "ack"), ack)
    bench.fence()
    mark = bench.judge.mark()
    steady.tap.cut()
    topic = bench.topic("steady", f"reply/{INSTANCE}")
    bench.online("steady", after=mark)
    bench.judge.expect(topic, after=mark, command_id=kept["id"], status="succeeded")
    bench.fence()

    assert not bench.judge.all(topic, after=mark, command_id=named["id"])
    bench.judge.publish(
        bench.topic("steady", "ack"), {"at": stamp(), "refused": [{"id": kept["id"], "code": "x"}]}
    )
    bench.fence()
    mark = bench.judge.mark()
    steady.tap.cut()
    bench.online("steady", after=mark)
    bench.fence()
    assert not bench.judge.all(topic, after=mark, command_id=kept["id"])


def broken(command: Json) -> list[bytes]:
    """A command damaged in each way that makes it invalid."""
    whole = json.dumps(command).encode()
    bad: list[bytes] = [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        whole[:-1],
        b"\xff\xfe" + whole,
        b"[" * 9000,
    ]
    bad += [whole[:length] for length in range(1, len(whole) - 1)]
    wrong: dict[str, list[Any]] = {
        "id": [None, 7, "", "x" * 65, [], {}],
        "tool": [None, 7, [], {}],
        "arguments": [None, [], "path", 7],
        "issued_at": [None, 7, "yesterday", []],
        "expires_at": [None, 7, "soon", "2026-13-40T99:00:00.000Z", []],
        "timeout_s": [None, "long", [], -1],
        "reply_to": [None, 7, []],
        "requested_by": [None, "me", 7, {}, {"user": 7, "via": "api"}],
        "attempt": [None, "first", []],
    }
    for name, values in wrong.items():
        bad += [json.dumps(command | {name: value}).encode() for value in values]
        bad += [json.dumps({key: value for key, value in command.items() if key != name}).encode()]
    return bad


def test_hundreds_of_invalid_messages_do_nothing_and_stop_nothing(bench: Bench, steady: Wired) -> None:
    path, lines, heard = a_path(bench), steady.tap.lines, len(steady.program.said())
    born = bench.online("steady").json()["boot_id"]
    command = making(bench, path)
    for body in broken(command):
        bench.judge.send(bench.topic("steady", "command"), body)
        bench.judge.send(bench.topic("steady", "cancel"), body)
        bench.judge.send(bench.topic("steady", "ack"), body)
    bench.fence()

    assert not path.exists()
    assert "succeeded" not in bench.replies(command)
    assert steady.tap.lines == lines
    assert steady.program.process.poll() is None
    assert bench.judge.all(bench.topic("steady", "heartbeat"))[-1].json()["boot_id"] == born
    warned = [line for line in steady.program.said()[heard:].splitlines() if "WARNING" in line]
    assert len(warned) <= 8  # a few causes once a minute with a reason, not once a message
    assert "Traceback" not in steady.program.said()


def test_the_size_limit_is_256_kib(bench: Bench, steady: Wired) -> None:
    fits, large = a_path(bench), a_path(bench)
    command = making(bench, fits, padding="")
    room = LIMIT - len(json.dumps(command))
    bench.order("steady", command | {"padding": "x" * room})
    over = making(bench, large, padding="")
    bench.order("steady", over | {"padding": "x" * (LIMIT - len(json.dumps(over)) + 1)})
    bench.outcome(command)
    bench.fence()

    assert fits.is_dir()
    assert not large.exists()
    assert not bench.replies(over)

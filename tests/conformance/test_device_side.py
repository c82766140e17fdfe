"""Our node against a stranger's controller: what `wire.md` asks of a device."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes

from tests.conformance.conftest import INSTANCE, Bench, Wired
from tests.conformance.wire_peer import PREFIX, Json, fresh, properties, stamp, until
from tests.conformance.wiretap import Packet, read_connect, read_subscribe, read_topic

CONNECT, PUBLISH, SUBSCRIBE, SUBACK = 1, 3, 8, 9
AT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
FINAL = {"succeeded", "failed", "rejected", "expired", "cancelled", "interrupted"}
LIMIT = 256 * 1024

pytestmark = pytest.mark.usefixtures("steady")


def outgoing(wired: Wired, line: int) -> list[tuple[str, Packet]]:
    return [
        (read_topic(packet), packet)
        for packet in wired.tap.packets(line=line, kind=PUBLISH)
        if packet.from_client
    ]


def birth_of(wired: Wired, line: int) -> list[str]:
    """Kinds of packets a connection began with, in order, up to the first heartbeat."""
    order: list[str] = []
    for packet in wired.tap.packets(line=line):
        if packet.kind == SUBSCRIBE:
            order += ["subscribe"]
        elif packet.kind == SUBACK:
            order += ["suback"]
        elif packet.kind == PUBLISH and packet.from_client:
            order += [read_topic(packet).split("/")[4]]
            if order[-1] == "heartbeat":
                break
    return order


def a_path(bench: Bench) -> Path:
    return bench.files / fresh()


def making(bench: Bench, path: Path, **changes: Any) -> Json:
    return bench.command("steady", "create_directory", {"path": str(path)}, **changes)


def running(bench: Bench, name: str, seconds: float, **changes: Any) -> Json:
    return bench.command(name, "run_command", {"command": f"sleep {seconds}"}, **changes)


def cancelling(command: Json, **changes: Any) -> Json:
    return {"id": fresh(), "command_id": command["id"], "at": stamp(), "expires_at": stamp(60)} | changes


# --- sessions, birth and life --------------------------------------------------------------------


def test_a_device_connects_for_a_session_that_lasts(steady: Wired) -> None:
    packet = steady.tap.packets(line=0, kind=CONNECT)[0]
    connect = read_connect(packet)

    assert connect.level == 5
    assert not connect.clean_start
    assert connect.keep_alive == 30
    assert connect.extra.SessionExpiryInterval == 7 * 24 * 3600
    assert 0 < connect.extra.ReceiveMaximum < 65535
    assert connect.client_id == "steady"


def test_the_last_will_says_offline_with_a_delay(bench: Bench, steady: Wired) -> None:
    connect = read_connect(steady.tap.packets(line=0, kind=CONNECT)[0])
    will = json.loads(connect.will_payload)

    assert connect.will_topic == bench.topic("steady", "presence")
    assert connect.will_retain
    assert connect.will_qos == 1
    assert connect.will_extra.WillDelayInterval == 5
    assert will["state"] == "offline"
    assert will["reason"] == "connection_lost"
    assert will["boot_id"] == bench.online("steady").json()["boot_id"]


def test_commands_are_subscribed_so_that_a_retained_one_shows(bench: Bench, steady: Wired) -> None:
    filters: dict[str, tuple[int, bool, int]] = {}
    for packet in steady.tap.packets(line=0, kind=SUBSCRIBE):
        filters |= read_subscribe(packet)

    for kind in ("command", "cancel"):
        assert filters[bench.topic("steady", kind)] == (1, True, 2)
    assert filters[bench.topic("steady", "ack")][0] == 1


def test_birth_is_subscribe_profile_presence_heartbeats(bench: Bench, steady: Wired) -> None:
    bench.judge.expect(bench.topic("steady", "heartbeat"))
    until(lambda: "heartbeat" in birth_of(steady, 0))
    order = birth_of(steady, 0)

    first = order.index("profile")
    assert order[:first].count("subscribe") == order[:first].count("suback") > 0
    assert "subscribe" not in order[first:]
    assert order[first:] == ["profile", "presence", "heartbeat"]
    profile = bench.judge.expect(bench.topic("steady", "profile")).json()
    presence = bench.online("steady").json()
    heartbeat = bench.judge.expect(bench.topic("steady", "heartbeat")).json()
    assert profile["boot_id"] == presence["boot_id"] == heartbeat["boot_id"]


def test_what_is_retained_is_so_and_nothing_else(bench: Bench, steady: Wired) -> None:
    command = making(bench, a_path(bench))
    bench.order("steady", command)
    bench.outcome(command)
    expected = {"profile": (1, True), "presence": (1, True), "heartbeat": (0, True), "reply": (1, False)}

    found = {topic.split("/")[4]: ((p.flags >> 1) & 3, bool(p.flags & 1)) for topic, p in outgoing(steady, 0)}

    assert found == {kind: how for kind, how in expected.items() if kind in found}
    assert set(expected) <= set(found)


def test_a_heartbeat_counts_and_measures(bench: Bench) -> None:
    topic = bench.topic("steady", "heartbeat")
    until(lambda: len(bench.judge.all(topic)) >= 3)
    beats = [seen.json() for seen in bench.judge.all(topic)]

    assert all(later["seq"] == earlier["seq"] + 1 for earlier, later in pairwise(beats))
    for beat in beats:
        assert AT.match(beat["at"])
        assert beat.get("uptime_s", 1) > 0
        for name in ("cpu_percent", "memory_percent", "battery_percent"):
            assert 0 <= beat.get(name, 0) <= 100
        for disk in beat.get("disks", []):
            assert {"mount", "percent", "free_gb"} <= disk.keys()
        assert None not in beat.values()


def test_a_profile_says_what_the_device_is_and_offers(bench: Bench) -> None:
    profile = bench.judge.expect(bench.topic("steady", "profile")).json()

    assert profile["device_id"] == "steady"
    assert AT.match(profile["at"])
    assert UUID7.match(profile["boot_id"])
    assert profile["os"]["type"] in {"linux", "windows", "macos", "other"}
    assert {"name", "version"} <= profile["agent"].keys()
    assert profile["home"].startswith("/")
    assert profile["allowed_paths"] == [str(bench.files)]
    assert None not in profile.values()
    tools = {tool["name"]: tool for tool in profile["tools"]}
    assert 1 <= len(profile["tools"]) == len(tools) <= 200
    for name, tool in tools.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
        assert tool["parameters"]["type"] == "object"
        assert tool["risk"] in {"low", "medium", "high", "critical"}
        assert len(json.dumps(tool)) <= 16 * 1024


RISKS = {
    "low": "create_directory list_directory path_info search_files list_processes service_status system_info "
    "disk_usage network_info notify reload_config",
    "medium": "read_file write_file copy_path move_path open_app close_app take_screenshot restart_node",
    "high": "delete_path stop_process update_node",
    "critical": "run_command",
}
READ_ONLY = {
    "list_directory",
    "path_info",
    "search_files",
    "read_file",
    "list_processes",
    "service_status",
    "system_info",
    "disk_usage",
    "network_info",
    "take_screenshot",
}


def test_the_built_in_tools_have_the_names_and_risks_people_rely_on(bench: Bench) -> None:
    profile = bench.judge.expect(bench.topic("steady", "profile")).json()
    tools = {tool["name"]: tool for tool in profile["tools"]}

    for risk, names in RISKS.items():
        for name in names.split():
            assert tools[name]["risk"] == risk, name
            hints = tools[name].get("annotations", {})
            assert hints.get("readOnlyHint", False) == (name in READ_ONLY), name
    assert not {"restart_device", "shutdown_device"} & tools.keys()
    for name in ("create_directory", "read_file", "delete_path"):
        assert tools[name]["parameters"]["properties"]["path"]["format"] == "path"
    assert tools["open_app"]["parameters"]["properties"]["name"]["format"] == "app"


def test_a_clean_stop_says_so_and_the_next_start_has_another_boot_id(bench: Bench) -> None:
    first = bench.node("resting")
    born = bench.online("resting").json()
    first.stop()
    topic = bench.topic("resting", "presence")
    gone = bench.judge.expect(topic, boot_id=born["boot_id"], state="offline")

    assert gone.json()["reason"] == "stopped"
    mark = bench.judge.mark()
    away, late, retained, kept = (a_path(bench) for _ in range(4))
    resting = "resting"
    waiting = bench.command(resting, "create_directory", {"path": str(away)})
    bench.order(resting, waiting)
    lapsed = bench.command(resting, "create_directory", {"path": str(late)})
    bench.order(resting, lapsed, extra=properties(PacketTypes.PUBLISH, MessageExpiryInterval=1))
    stale = bench.command(resting, "create_directory", {"path": str(kept)}, expires_at=stamp(2.5))
    bench.order(resting, stale)
    lasting = bench.command(resting, "create_directory", {"path": str(retained)})
    bench.order(resting, lasting, retain=True)
    until(lambda: stamp() > stale["expires_at"])
    second = bench.node(resting)
    again = bench.online(resting, after=mark).json()

    assert again["boot_id"] != born["boot_id"]
    # the session lasted: what was sent meanwhile comes now, what ran out or was retained does nothing
    bench.outcome(waiting, resting)
    bench.outcome(stale, resting, status="expired")
    bench.fence(resting)
    assert away.is_dir()
    assert not late.exists()
    assert not kept.exists()
    assert not retained.exists()
    bench.judge.publish(bench.topic(resting, "command"), b"", retain=True)
    second.stop()


def test_a_killed_node_is_told_by_its_will_and_does_not_run_again_what_it_ran(bench: Bench) -> None:
    program = bench.node("killed")
    born = bench.online("killed").json()
    command = running(bench, "killed", 30, timeout_s=60)
    bench.order("killed", command)
    topic = bench.topic("killed", f"reply/{INSTANCE}")
    bench.judge.expect(topic, command_id=command["id"], status="accepted")
    program.kill()
    presence = bench.topic("killed", "presence")
    dead = bench.judge.mark()
    will = bench.judge.expect(presence, after=dead, within=10, state="offline")

    assert will.json()["boot_id"] == born["boot_id"]
    assert will.json()["reason"] == "connection_lost"
    # a node that comes back at once does not flap
    program = bench.node("killed")
    bench.online("killed", after=dead)
    bench.outcome(command, "killed", status="interrupted")
    bench.order("killed", command | {"attempt": 2})
    bench.fence("killed")
    until(lambda: bench.replies(command, "killed").count("interrupted") >= 2)
    assert set(bench.replies(command, "killed")) == {"accepted", "interrupted"}
    program.stop()


def test_a_short_reconnect_does_not_flap_and_is_a_birth_again(bench: Bench, steady: Wired) -> None:
    mark, line = bench.judge.mark(), steady.tap.lines
    born = bench.online("steady").json()
    unacked = making(bench, a_path(bench))
    bench.order("steady", unacked)
    bench.outcome(unacked)
    steady.tap.cut()
    presence = bench.online("steady", after=mark).json()
    bench.judge.expect(bench.topic("steady", "heartbeat"), after=mark)
    until(lambda: "heartbeat" in birth_of(steady, line))

    assert presence["boot_id"] == born["boot_id"]
    order = birth_of(steady, line)
    first = order.index("profile")
    assert order[first : first + 2] == ["profile", "presence"]
    assert order[first + 2 :].count("reply") >= 1  # the spool, before heartbeats
    assert order[:first].count("subscribe") == order[:first].count("suback")
    states = [seen.json()["state"] for seen in bench.judge.all(bench.topic("steady", "presence"), after=mark)]
    assert set(states) == {"online"}


# --- commands --------------------------------------------------------------------------------------


def test_a_command_is_executed_and_answered(bench: Bench) -> None:
    path = a_path(bench)
    command = making(bench, path)
    bench.order("steady", command)
    reply = bench.outcome(command)

    assert path.is_dir()
    assert AT.match(reply["at"])
    assert reply["boot_id"] == bench.online("steady").json()["boot_id"]
    assert isinstance(reply["result"], dict)
    assert reply.get("duration_ms", 0) >= 0
    assert None not in reply.values()


def test_unknown_fields_are_ignored(bench: Bench) -> None:
    path = a_path(bench)
    by = {"user": "examiner", "via": "mcp", "mood": [1]}
    bench.order("steady", command := making(bench, path, requested_by=by, later={"version": 2}, signature=1))

    bench.outcome(command)
    assert path.is_dir()


def test_the_payload_is_enough_and_wins_over_properties(bench: Bench) -> None:
    path = a_path(bench)
    command = making(bench, path)
    lying = properties(
        PacketTypes.PUBLISH,
        ResponseTopic=bench.topic("steady", "reply/elsewhere"),
        CorrelationData=b"another",
        MessageExpiryInterval=60,
    )
    bench.order("steady", command, extra=lying)

    bench.outcome(command)
    assert not bench.judge.all(bench.topic("steady", "reply/elsewhere"), command_id=command["id"])


def test_an_id_runs_once_and_each_arrival_is_answered_with_the_state(bench: Bench) -> None:
    path, other = a_path(bench), a_path(bench)
    command = making(bench, path)
    bench.order("steady", command)
    first = bench.outcome(command)
    path.rmdir()
    bench.order("steady", command | {"attempt": 2})
    bench.order("steady", command | {"arguments": {"path": str(other)}})
    until(lambda: bench.replies(command).count("succeeded") >= 3)

    assert not path.exists()
    assert not other.exists()
    topic = bench.topic("steady", f"reply/{INSTANCE}")
    for seen in bench.judge.all(topic, command_id=command["id"], status="succeeded"):
        assert seen.json()["result"] == first["result"]


def test_a_command_past_its_time_is_expired_and_never_runs(bench: Bench) -> None:
    path = a_path(bench)
    command = making(bench, path, issued_at=stamp(-60), expires_at=stamp(-1))
    bench.order("steady", command)

    reply = bench.outcome(command, status="expired")
    assert reply.get("error", {}).get("code", "expired") == "expired"
    assert not path.exists()


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("no_such_tool", {}, "unknown_tool"),
        ("create_directory", {}, "invalid_arguments"),
        ("create_directory", {"path": 7}, "invalid_arguments"),
        ("create_directory", {"path": "/etc/orion-examined"}, "path_not_allowed"),
        ("create_directory", {"path": "relative"}, "path_not_allowed"),
        ("open_app", {"name": "not-on-the-list"}, "app_not_allowed"),
    ],
)
def test_what_the_device_may_not_do_is_rejected_with_a_code(
    bench: Bench, tool: str, arguments: Json, code: str
) -> None:
    command = bench.command("steady", tool, arguments)
    bench.order("steady", command)
    error = bench.outcome(command, status="rejected")["error"]

    assert error["code"] == code
    assert error["message"]
    assert "Traceback" not in error["message"]


def test_a_tool_its_owner_switched_off_does_not_exist(bench: Bench) -> None:
    command = bench.command("steady", "shutdown_device", {})
    bench.order("steady", command)

    assert bench.outcome(command, status="rejected")["error"]["code"] in {"unknown_tool", "permission_denied"}


def test_a_missing_file_is_not_found(bench: Bench) -> None:
    command = bench.command("steady", "read_file", {"path": str(a_path(bench))})
    bench.order("steady", command)

    assert bench.outcome(command, status="failed")["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "reply_to",
    [
        f"{PREFIX}/devices/killed/reply/{INSTANCE}",
        f"{PREFIX}/devices/steady/reply/",
        f"{PREFIX}/devices/steady/reply/a/b",
        f"{PREFIX}/devices/steady/reply/+",
        f"{PREFIX}/devices/steady/reply/{'x' * 65}",
        f"{PREFIX}/devices/steady/event",
        "",
    ],
)
def test_a_command_that_wants_its_answer_elsewhere_is_refused(bench: Bench, reply_to: str) -> None:
    path = a_path(bench)
    bench.order("steady", command := making(bench, path, reply_to=reply_to))
    bench.fence()

    assert not path.exists()
    assert "succeeded" not in bench.replies(command)


def test_a_retained_command_is_refused(bench: Bench) -> None:
    path = a_path(bench)
    bench.order("steady", making(bench, path), retain=True)
    bench.judge.publish(bench.topic("steady", "command"), b"", retain=True)
    bench.fence()

    assert not path.exists()


def test_a_dry_run_has_no_effect(bench: Bench) -> None:
    path = a_path(bench)
    bench.order("steady", command := making(bench, path, dry_run=True))

    bench.outcome(command)
    assert not path.exists()


def test_what_takes_long_is_accepted_first_and_ends_once(bench: Bench) -> None:
    command = running(bench, "steady", 1.5)
    bench.order("steady", command)
    bench.order("steady", command | {"attempt": 2})
    bench.outcome(command)
    bench.fence()

    replies = bench.replies(command)
    assert replies[0] == "accepted"
    assert len(FINAL & set(replies)) == 1


def test_a_tool_that_runs_over_its_time_fails_by_timeout(bench: Bench) -> None:
    command = running(bench, "steady", 30, timeout_s=1)
    bench.order("steady", command)

    assert bench.outcome(command, status="failed")["error"]["code"] == "timeout"


def test_the_earlier_of_expiry_and_expires_at_holds(bench: Bench) -> None:
    """Behind slow commands that fill the device, a command's Message Expiry runs out."""
    slow = [running(bench, "steady", 1.5) for _ in range(6)]
    path = a_path(bench)
    last = making(bench, path)
    for command in slow:
        bench.order("steady", command)
    bench.order("steady", last, extra=properties(PacketTypes.PUBLISH, MessageExpiryInterval=1))
    topic = bench.topic("steady", f"reply/{INSTANCE}")
    until(lambda: FINAL & set(bench.replies(last)), within=20)
    status = (set(bench.replies(last)) & FINAL).pop()
    for command in slow:
        bench.judge.publish(bench.topic("steady", "cancel"), cancelling(command))
    until(lambda: all(FINAL & set(bench.replies(command)) for command in slow), within=20)

    # a device with a place left ran it in time; one that made it wait says that it expired
    assert status in {"succeeded", "expired", "rejected"}
    assert path.exists() == (status == "succeeded")
    if status == "rejected":
        error = bench.judge.expect(topic, command_id=last["id"], status="rejected").json()["error"]
        assert error["code"] == "busy"


# --- cancel ----------------------------------------------------------------------------------------


def test_a_cancel_that_overtakes_its_command_wins(bench: Bench) -> None:
    path = a_path(bench)
    command = making(bench, path)
    bench.judge.publish(bench.topic("steady", "cancel"), cancelling(command, colour="red"))
    bench.order("steady", command)

    bench.outcome(command, status="cancelled")
    assert not path.exists()


def test_a_running_tool_is_ended_by_its_cancel(bench: Bench) -> None:
    command = running(bench, "steady", 60, timeout_s=120)
    bench.order("steady", command)
    topic = bench.topic("steady", f"reply/{INSTANCE}")
    bench.judge.expect(topic, command_id=command["id"], status="accepted")
    bench.judge.publish(bench.topic("steady", "cancel"), cancelling(command))

    bench.outcome(command, status="cancelled")


def test_a_cancel_after_the_end_brings_the_final_reply_again(bench: Bench) -> None:
    command = making(bench, a_path(bench))
    bench.order("steady", command)
    first = bench.outcome(command)
    bench.judge.publish(bench.topic("steady", "cancel"), cancelling(command))
    until(lambda: len(bench.replies(command)) >= 2)

    assert set(bench.replies(command)) == {"succeeded"}
    topic = bench.topic("steady", f"reply/{INSTANCE}")
    assert bench.judge.all(topic, command_id=command["id"])[-1].json()["result"] == first["result"]


def test_a_retained_or_late_cancel_cancels_nothing(bench: Bench) -> None:
    topic = bench.topic("steady", "cancel")
    kept, late = making(bench, a_path(bench)), making(bench, a_path(bench))
    bench.judge.publish(topic, cancelling(kept), retain=True)
    bench.judge.publish(topic, b"", retain=True)
    bench.judge.publish(topic, cancelling(late, expires_at=stamp(-5)))
    bench.order("steady", kept)
    bench.order("steady", late)

    bench.outcome(kept)
    bench.outcome(late)


# --- the spool -------------------------------------------------------------------------------------


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


# --- whatever arrives ------------------------------------------------------------------------------


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

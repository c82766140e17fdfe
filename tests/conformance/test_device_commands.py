"""Our node against a stranger's controller: commands and cancels."""

import pytest
from paho.mqtt.packettypes import PacketTypes

from tests.conformance.conftest import INSTANCE, Bench
from tests.conformance.device_side import AT, FINAL, a_path, cancelling, making, running
from tests.conformance.wire_peer import PREFIX, Json, properties, stamp, until

pytestmark = pytest.mark.usefixtures("steady")


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

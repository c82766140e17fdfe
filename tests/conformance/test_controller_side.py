"""Our controller against strangers' devices: what `wire.md` asks of a controller."""

import hashlib
import json
import re
import time
from datetime import datetime
from typing import Any

import pytest
import rfc8785

from tests.conformance.conftest import Orion
from tests.conformance.fake_device import FakeDevice, a_tool
from tests.conformance.wire_peer import Json, MQTTv311, fresh, stamp, until
from tests.conformance.wiretap import read_connect, read_subscribe

AT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")
LIMIT = 256 * 1024
VIAS = {"assistant", "api", "panel", "cli", "mqtt", "schedule", "automation", "home_assistant", "mcp"}
PRESENCE = "orion/v1/controllers/main/presence"
AUDIT = "orion/v1/audit"


def a_schema(**fields: Json) -> Json:
    return {"type": "object", "properties": fields, "required": sorted(fields)}


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def asked(orion: Orion, device: FakeDevice, *words: str) -> Json:
    """Give a command without waiting for its outcome."""
    return orion.site.cli("run", device.id, *(words or ("light", "on=true")), "--no-wait")


def approval_topic(command: Json) -> str:
    return f"orion/v1/approvals/{command['approval_id']}"


# --- the controller's own session ------------------------------------------------------------------


def test_the_controller_connects_for_a_session_that_lasts(orion: Orion) -> None:
    connect = read_connect(orion.tap.packets(line=0, kind=1)[0])
    will = json.loads(connect.will_payload)

    assert (connect.level, connect.clean_start, connect.keep_alive) == (5, False, 30)
    assert connect.extra.SessionExpiryInterval > 0
    assert 0 < connect.extra.ReceiveMaximum <= 65535
    assert connect.client_id == "controller-main"
    assert (connect.will_topic, connect.will_retain) == (PRESENCE, True)
    assert (will["state"], will["reason"]) == ("offline", "connection_lost")


def test_the_controller_subscribes_so_that_retained_events_and_replies_show(orion: Orion) -> None:
    filters: dict[str, tuple[int, bool, int]] = {}
    for packet in orion.tap.packets(line=0, kind=8):
        filters |= read_subscribe(packet)

    for kind in ("event", "reply/"):
        found = [options for name, options in filters.items() if kind in name]
        assert found
        assert all(as_published for _, as_published, _ in found)


def test_the_controller_says_that_it_is_there(orion: Orion) -> None:
    presence = orion.spy.expect(PRESENCE)

    assert presence.retain
    assert presence.json()["state"] == "online"
    assert AT.match(presence.json()["at"])
    assert UUID7.match(presence.json()["boot_id"])


# --- a command, there and back ---------------------------------------------------------------------


def test_a_command_carries_every_field_and_property(orion: Orion) -> None:
    device = orion.born(a_tool(timeout_s=7))
    verb = orion.site.begin("run", device.id, "light", "on=true")
    seen = device.expect_command()
    command = seen.json()
    device.reply(command, "accepted", later=1)
    device.reply(command, "progress", progress=0.5, message="half")
    device.reply(command, "succeeded", result={"on": True}, duration_ms=3)
    answer = verb.answer()

    assert UUID7.match(command["id"])
    assert (command["tool"], command["arguments"]) == ("light", {"on": True})
    assert AT.match(command["issued_at"])
    assert AT.match(command["expires_at"])
    assert seconds(command["expires_at"]) > seconds(command["issued_at"])
    assert command["timeout_s"] == 7
    assert command["reply_to"] == f"{device.topic}/reply/main"
    assert command["requested_by"]["via"] == "cli"
    assert command["requested_by"]["user"]
    assert command["attempt"] == 1
    assert None not in command.values()
    assert (seen.qos, seen.retain) == (1, False)
    extra: Any = seen.properties
    assert extra.ResponseTopic == command["reply_to"]
    assert extra.CorrelationData == command["id"].encode()
    assert extra.ContentType == "application/json"
    assert 0 < extra.MessageExpiryInterval <= seconds(command["expires_at"]) - seconds(command["issued_at"])
    trace = TRACEPARENT.match(dict(extra.UserProperty)["traceparent"])
    assert trace
    assert trace[1] == answer["trace_id"]
    assert (verb.code, answer["command_id"], answer["status"]) == (0, command["id"], "succeeded")
    assert answer["result"] == {"on": True}
    assert answer["accepted_at"]


@pytest.mark.parametrize(
    ("status", "code"),
    [("failed", 1), ("rejected", 3), ("expired", 5), ("cancelled", 1), ("interrupted", 6)],
)
def test_each_final_status_settles_a_command(orion: Orion, status: str, code: int) -> None:
    device = orion.lamp()
    verb = orion.site.begin("run", device.id, "light", "on=true")
    error = {"code": "conflict", "message": "Somebody else holds the lamp.", "detail": {"who": "x"}}
    device.reply(device.expect_command().json(), status, error=error)

    answer = verb.answer()
    assert (answer["status"], verb.code) == (status, code)
    assert answer["error"]["message"] == error["message"]


def test_one_final_status_holds_whatever_else_a_device_says(orion: Orion) -> None:
    device = orion.lamp()
    command = asked(orion, device)
    sent = device.expect_command().json()
    device.reply(sent, "failed", error={"code": "busy", "message": "Not now."})
    for status in ("succeeded", "accepted", "progress", "cancelled", "interrupted", "expired", "rejected"):
        device.reply(sent, status, result={"on": True})
    device.fence()

    settled = orion.settled(command["command_id"])
    assert (settled["status"], settled["error"]["code"]) == ("failed", "busy")
    outcomes = [
        seen.json()["action"]
        for seen in orion.spy.all(AUDIT, command_id=command["command_id"])
        if seen.json()["action"] in {"command.failed", "command.succeeded", "command.cancelled"}
    ]
    assert outcomes == ["command.failed"]


def test_bad_signature_and_replayed_never_settle(orion: Orion) -> None:
    device = orion.lamp()
    command = asked(orion, device)
    sent = device.expect_command().json()
    for code in ("bad_signature", "replayed"):
        device.reply(sent, "rejected", error={"code": code, "message": "No."})
    device.fence()
    assert orion.settled(command["command_id"])["finished_at"] is None
    events = orion.site.cli("events", "list", "--device", device.id)["items"]
    audited = orion.site.cli("audit", "list", "--device", device.id)["items"]
    device.reply(sent, "succeeded", result={})
    device.fence()

    assert orion.settled(command["command_id"])["status"] == "succeeded"
    assert any(code in json.dumps(events) for code in ("bad_signature", "replayed", "signature"))
    assert any("bad_signature" in json.dumps(row) for row in audited)


def test_an_unanswered_command_comes_again_with_its_id(orion: Orion) -> None:
    device = orion.lamp()
    asked(orion, device)
    first = device.expect_command()
    second = device.expect_command(within=12, attempt=2)
    device.reply(first.json(), "succeeded", result={})

    assert 4.5 <= second.at - first.at <= 8
    same = first.json() | {"attempt": 2}
    assert second.json() == same
    before: Any = first.properties
    after: Any = second.properties
    assert after.MessageExpiryInterval < before.MessageExpiryInterval
    assert after.CorrelationData == before.CorrelationData


def test_nothing_is_sent_before_profile_and_presence_of_one_boot(orion: Orion) -> None:
    device = orion.device()
    device.listen()
    device.presence(boot_id="an-older-life")
    device.fence()
    assert asked(orion, device)["decision"] == "deny"  # there is no profile yet
    device.profile([a_tool()])
    device.fence()
    assert asked(orion, device)["error"]["code"] == "device_offline"
    device.fence()
    assert not device.peer.all(f"{device.topic}/command")
    device.presence()
    device.fence()

    asked(orion, device)
    device.reply(device.expect_command().json(), "succeeded", result={})


def test_a_command_on_its_way_waits_for_a_device_that_left_and_returns(orion: Orion) -> None:
    device = orion.lamp()
    command = asked(orion, device)
    device.expect_command(attempt=1)
    device.presence("offline", reason="sleeping")
    device.fence()
    assert asked(orion, device)["error"]["code"] == "device_offline"
    device.boot_id = "woken"
    device.profile([a_tool()])
    device.presence()

    again = device.expect_command(id=command["command_id"], attempt=2).json()
    device.reply(again, "succeeded", result={})
    device.fence()
    assert len({seen.json()["id"] for seen in device.peer.all(f"{device.topic}/command")}) == 1


def test_only_the_device_itself_settles_and_any_instance_topic_serves(orion: Orion) -> None:
    device, other = orion.lamp(), orion.lamp()
    command = asked(orion, device)
    sent = device.expect_command().json()
    other.reply(sent, "failed", topic=f"{other.topic}/reply/main", error={"code": "busy", "message": "No."})
    other.fence()
    assert orion.settled(command["command_id"])["finished_at"] is None
    until(lambda: other.acked(reply=sent["id"]) or refused(other, sent["id"]), what="an end to the reply")
    device.reply(sent, "succeeded", topic=f"{device.topic}/reply/dead-instance", result={})
    device.fence()

    assert orion.settled(command["command_id"])["status"] == "succeeded"


def refused(device: FakeDevice, name: str) -> bool:
    acks = [seen.json() for seen in device.peer.all(f"{device.topic}/ack")]
    return any(item["id"] == name for ack in acks for item in ack.get("refused", []))


def test_a_retained_reply_settles_nothing(orion: Orion) -> None:
    device = orion.lamp()
    command = asked(orion, device)
    sent = device.expect_command().json()
    said = {"command_id": sent["id"], "status": "failed", "at": stamp(), "boot_id": device.boot_id}
    device.peer.publish(sent["reply_to"], said, retain=True)
    device.peer.publish(sent["reply_to"], b"", retain=True)
    device.fence()
    assert orion.settled(command["command_id"])["finished_at"] is None
    device.reply(sent, "succeeded", result={})


def test_a_device_of_mqtt_3_1_1_is_a_full_member(orion: Orion) -> None:
    device = orion.born(a_tool(), protocol=MQTTv311)
    verb = orion.site.begin("run", device.id, "light", "on=false")
    command = device.expect_command().json()
    device.reply(command, "succeeded", result={"on": False})

    assert verb.answer()["status"] == "succeeded"
    until(lambda: device.acked(reply=command["id"]))


def test_a_sentence_reaches_a_stranger_with_a_path_that_was_resolved(orion: Orion) -> None:
    tool = a_tool("create_directory", parameters=a_schema(path={"type": "string", "format": "path"}))
    device = orion.born(
        tool,
        options=("--name", "Zolderkast", "--allow-path", "/srv/zolder"),
    )
    verb = orion.site.begin("ask", "maak een map Foto's op zolderkast")
    command = device.expect_command().json()
    device.reply(command, "succeeded", result={"path": command["arguments"]["path"], "created": True})
    answer = verb.answer()

    assert command["arguments"] == {"path": "/srv/zolder/Foto's"}
    assert command["requested_by"]["via"] == "assistant"
    assert answer["calls"][0]["status"] == "succeeded"


def test_the_devices_lists_only_narrow(orion: Orion) -> None:
    tool = a_tool("create_directory", parameters=a_schema(path={"type": "string", "format": "path"}))
    device = orion.device("--allow-path", "/srv/shared")
    device.birth([tool], home="/home/me", allowed_paths=["/srv/shared/in", "/etc"], os={"type": "linux"})
    device.fence()

    for path in ("/srv/shared/out", "/etc/x", "~/x"):
        assert asked(orion, device, "create_directory", f"path={path}")["decision"] == "deny", path
    fine = asked(orion, device, "create_directory", "path=/srv/shared/in/x")
    assert fine["decision"] == "allow"
    device.reply(device.expect_command().json(), "succeeded", result={})


def test_arguments_that_do_not_fit_are_never_sent(orion: Orion) -> None:
    device = orion.lamp()

    answer = asked(orion, device, "light", "on=perhaps")
    assert answer["error"]["code"] == "invalid_arguments"
    device.fence()
    assert not device.peer.all(f"{device.topic}/command")


# --- acks and events -------------------------------------------------------------------------------


def test_replies_are_acked_known_or_not_early_or_late(orion: Orion) -> None:
    device = orion.lamp()
    verb = orion.site.begin("run", device.id, "light", "on=true")
    command = device.expect_command().json()
    device.reply(command, "succeeded", result={})
    until(lambda: device.acked(reply=command["id"]))
    verb.answer()
    mark = device.peer.mark()
    device.reply(command, "succeeded", result={})
    until(lambda: device.acked(reply=command["id"], after=mark))
    stranger = command | {"id": fresh()}
    device.reply(stranger, "succeeded", result={})
    until(lambda: device.acked(reply=stranger["id"]) or refused(device, stranger["id"]))

    ack = device.peer.all(f"{device.topic}/ack")[0]
    assert AT.match(ack.json()["at"])
    assert (ack.qos, ack.retain) == (1, False)


def test_an_event_is_stored_once_and_acked_each_time(orion: Orion) -> None:
    device = orion.lamp()
    name = device.event(type="coffee_is_ready", later=[1], resolves=fresh())
    until(lambda: device.acked(event=name))
    mark = device.peer.mark()
    device.event(id=name, type="coffee_is_ready", severity="critical")
    until(lambda: device.acked(event=name, after=mark))
    kept = device.event(type="kept")
    device.peer.publish(
        f"{device.topic}/event",
        {"id": fresh(), "type": "retained_one", "severity": "info", "data": {}, "at": stamp()},
        retain=True,
    )
    device.peer.publish(f"{device.topic}/event", b"", retain=True)
    until(lambda: device.acked(event=kept))
    device.fence()

    items = orion.site.cli("events", "list", "--device", device.id)["items"]
    types = [item["type"] for item in items]
    assert types.count("coffee_is_ready") == 1
    assert next(item for item in items if item["type"] == "coffee_is_ready")["severity"] == "warning"
    assert "retained_one" not in types


def test_the_same_event_id_of_two_devices_are_two_events(orion: Orion) -> None:
    one, two = orion.lamp(), orion.lamp()
    name = one.event(type="first")
    two.event(id=name, type="second")
    until(lambda: one.acked(event=name) and two.acked(event=name))

    assert "second" in json.dumps(orion.site.cli("events", "list", "--device", two.id))


def test_an_event_that_is_no_event_is_dropped_and_the_next_is_taken(orion: Orion) -> None:
    device = orion.lamp()
    bad = device.event(type="oddity", severity="catastrophic")
    fine = device.event(type="oddity")
    until(lambda: device.acked(event=fine))

    assert not device.acked(event=bad)
    items = orion.site.cli("events", "list", "--device", device.id)["items"]
    assert [item["severity"] for item in items if item["type"] == "oddity"] == ["warning"]


# --- presence --------------------------------------------------------------------------------------


def test_offline_counts_only_for_the_life_that_is_lived(orion: Orion) -> None:
    device = orion.lamp()
    device.presence("offline", boot_id="an-older-life", reason="connection_lost")
    device.fence()
    assert orion.site.cli("devices", "show", device.id)["status"] == "online"
    device.presence("offline", reason="stopped")
    device.fence()

    shown = orion.site.cli("devices", "show", device.id)
    assert shown["status"] == "offline"


def test_a_lost_line_is_offline_and_a_heartbeat_of_another_life_is_no_life(orion: Orion) -> None:
    device = orion.born(a_tool(), will=True)
    device.peer.drop()
    until(lambda: orion.site.cli("devices", "show", device.id)["status"] == "offline")
    device = device.again()
    orion.devices.append(device)
    device.listen()
    beat = {"at": stamp(), "seq": 9, "boot_id": "an-older-life", "later": {}}
    device.peer.publish(f"{device.topic}/heartbeat", beat, retain=True, qos=0)
    device.fence()

    assert orion.site.cli("devices", "show", device.id)["status"] == "offline"


# --- profiles and tools ----------------------------------------------------------------------------


def test_before_adoption_nothing_runs_whatever_it_hints(orion: Orion) -> None:
    hints = {"readOnlyHint": True, "destructiveHint": False}
    device = orion.born(a_tool(annotations=hints), adopt=False)
    assert asked(orion, device)["decision"] == "deny"
    shown = orion.site.cli("devices", "show", device.id)
    assert [tool["adopted"] for tool in shown["tools"]] == [False]
    orion.site.cli("devices", "adopt", device.id, "--yes")

    assert asked(orion, device)["decision"] == "allow"
    device.reply(device.expect_command().json(), "succeeded", result={})


def test_a_tool_without_a_risk_is_high(orion: Orion) -> None:
    plain = a_tool()
    del plain["risk"]
    device = orion.born(plain)

    answer = asked(orion, device)
    assert (answer["decision"], answer["risk"]) == ("ask", "high")


@pytest.mark.parametrize("name", ["delete_path", "run_command", "stop_process"])
def test_the_known_risk_of_a_name_cannot_be_declared_away(orion: Orion, name: str) -> None:
    hints = {"readOnlyHint": True}
    tool = a_tool(name, parameters={"type": "object", "properties": {}}, annotations=hints)
    device = orion.born(tool)

    answer = asked(orion, device, name)
    assert answer["risk"] in {"high", "critical"}
    assert answer["decision"] in {"ask", "deny"}


def test_a_changed_tool_waits_for_another_look(orion: Orion) -> None:
    device = orion.born(a_tool("kept"), a_tool("changes", risk="high"), a_tool("goes", risk="high"))
    waiting = asked(orion, device, "changes", "on=true")
    leaving = asked(orion, device, "goes", "on=true")
    assert (waiting["decision"], leaving["decision"]) == ("ask", "ask")
    device.presence("offline", reason="update")
    device.fence()
    device.profile(
        [a_tool("kept", description="Something else."), a_tool("changes", risk="high", title="New")]
    )
    device.presence()
    device.fence()

    for command, code in ((waiting, "tool_changed"), (leaving, "unknown_tool")):
        settled = orion.settled(command["command_id"])
        assert settled["error"]["code"] == code
        assert settled["finished_at"]
    for command in (waiting, leaving):
        cleared = orion.spy.all(approval_topic(command))[-1]
        assert cleared.payload == b""
    assert asked(orion, device, "kept", "on=true")["error"]["code"] == "tool_changed"
    assert asked(orion, device, "goes", "on=true")["error"]["code"] == "unknown_tool"
    device.fence()
    assert not device.peer.all(f"{device.topic}/command")
    orion.site.cli("devices", "adopt", device.id, "--yes")
    assert asked(orion, device, "kept", "on=true")["decision"] == "allow"
    device.reply(device.expect_command().json(), "succeeded", result={})


def nested(depth: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"in": schema}}
    return schema


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"on": {"type": "string", "pattern": "a" * 201}}},
        {"type": "object", "properties": {"on": {"$ref": "http://127.0.0.1:9/schema.json"}}},
        {"type": "object", "properties": {"on": {"description": "x" * 17000}}},
        {"type": "array"},
        {"type": "object", "properties": {"on": {"type": "no-such-type"}}},
        nested(9),
    ],
    ids=["long pattern", "remote ref", "over 16 KiB", "no object", "no schema", "too deep"],
)
def test_a_tool_that_breaks_the_rules_cannot_be_used(orion: Orion, parameters: Json) -> None:
    device = orion.device()
    device.birth([a_tool(parameters=parameters)])
    device.fence()

    answer = asked(orion, device, "light", "on=true")
    assert answer["decision"] == "deny"
    device.fence()
    assert not device.peer.all(f"{device.topic}/command")


def test_more_than_two_hundred_tools_are_too_many(orion: Orion) -> None:
    device = orion.device()
    device.birth([a_tool(f"tool_{number}") for number in range(201)])
    device.fence()

    assert asked(orion, device, "tool_0", "on=true")["decision"] == "deny"


def test_a_catastrophic_pattern_costs_nothing(orion: Orion) -> None:
    word = {"type": "string", "pattern": "^(a+)+$"}
    device = orion.born(a_tool(parameters=a_schema(word=word)))
    begun = time.monotonic()
    answer = asked(orion, device, "light", f"word={'a' * 60}!")

    assert answer["decision"] == "deny"
    assert time.monotonic() - begun < 10  # a backtracking engine would need years


def test_a_profile_that_names_another_device_is_dropped(orion: Orion) -> None:
    device, victim = orion.lamp(), orion.lamp()
    device.profile([a_tool("evil")], device_id=victim.id)
    device.fence()

    for known in (device, victim):
        tools = orion.site.cli("devices", "show", known.id)["tools"]
        assert [tool["name"] for tool in tools] == ["light"]


# --- approvals, secrets, audit ---------------------------------------------------------------------


def test_an_approval_is_retained_until_it_is_decided(orion: Orion) -> None:
    device = orion.born(a_tool(risk="high"))
    yes, no = asked(orion, device), asked(orion, device, "light", "on=false")
    seen = orion.spy.expect(approval_topic(yes), id=yes["approval_id"])
    approval = seen.json()

    assert seen.retain
    assert approval["commands"] == [{"device_id": device.id, "tool": "light", "arguments": {"on": True}}]
    assert approval["hash"] == hashlib.sha256(rfc8785.dumps(approval["commands"])).hexdigest()
    assert approval["risk"] == "high"
    assert approval["summary"]
    assert isinstance(approval["reasons"], list)
    assert approval["requested_by"]
    assert AT.match(approval["created_at"])
    assert seconds(approval["expires_at"]) > seconds(approval["created_at"])
    device.fence()
    assert not device.peer.all(f"{device.topic}/command")
    deciding = orion.site.begin("approvals", "approve", yes["approval_id"])
    command = device.expect_command().json()
    device.reply(command, "succeeded", result={})
    deciding.answer()
    orion.site.cli("approvals", "deny", no["approval_id"])
    until(lambda: all(orion.spy.all(approval_topic(one))[-1].payload == b"" for one in (yes, no)))
    device.fence()
    assert command["approval_id"] == yes["approval_id"]
    assert command["arguments"] == {"on": True}
    assert len(device.peer.all(f"{device.topic}/command")) == 1
    assert orion.settled(no["command_id"])["error"]["code"] == "approval_denied"


def test_a_secret_is_seen_by_its_device_and_by_nobody_else(orion: Orion) -> None:
    secret = f"hunter-{fresh()}"
    parameters = a_schema(name={"type": "string"}, pin={"type": "string", "writeOnly": True})
    device = orion.born(a_tool("unlock", parameters=parameters, risk="high"))
    shown = [asked(orion, device, "unlock", "name=door", f"pin={secret}")]
    asking = shown[0]
    approval = orion.spy.expect(approval_topic(asking), id=asking["approval_id"])
    shown += [orion.site.cli("approvals", "show", asking["approval_id"]), orion.site.cli("approvals", "list")]
    deciding = orion.site.begin("approvals", "approve", asking["approval_id"])
    command = device.expect_command().json()
    device.reply(command, "succeeded", result={})
    shown += [deciding.answer(), orion.settled(asking["command_id"]), orion.site.cli("commands", "list")]
    shown += [orion.site.cli("audit", "list"), approval.json()]

    assert command["arguments"] == {"name": "door", "pin": secret}
    assert asking["arguments"] == {"name": "door", "pin": "***"}
    assert approval.json()["commands"][0]["arguments"] == {"name": "door", "pin": "***"}
    for said in shown:
        assert secret not in json.dumps(said)
    for program in orion.site.programs:
        assert secret not in program.said()
    places = {seen.topic for seen in orion.spy.seen if secret.encode() in seen.payload}
    assert places == {f"{device.topic}/command"}


def test_an_audit_line_says_what_was_decided_without_arguments(orion: Orion) -> None:
    device = orion.born(a_tool(parameters=a_schema(word={"type": "string"})))
    word = fresh()
    command = asked(orion, device, "light", f"word={word}")
    device.reply(device.expect_command().json(), "succeeded", result={"word": word})
    device.fence()
    orion.spy.expect(AUDIT, command_id=command["command_id"], action="command.succeeded")
    lines = orion.spy.all(AUDIT, command_id=command["command_id"])

    assert [line.json()["action"] for line in lines] == ["decision.allow", "command.succeeded"]
    for line in lines:
        assert (line.qos, line.retain) == (0, False)
        assert AT.match(line.json()["at"])
        assert line.json()["device_id"] == device.id
        assert word.encode() not in line.payload


# --- whatever arrives ------------------------------------------------------------------------------


def rubbish() -> list[bytes]:
    whole = json.dumps(
        {"at": stamp(), "boot_id": "b", "state": "online", "id": "x", "data": {"a": [1, 2]}}
    ).encode()
    cut = [whole[:length] for length in range(len(whole))]
    odd = [
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"\xff" * 20,
        b"[" * 5000,
        b'{"at":"\\ud800"}',
        b'{"at":1e999}',
        b"{}",
    ]
    wrong: list[Json] = [
        {"state": 7},
        {"state": "asleep"},
        {"at": 7},
        {"boot_id": {}},
        {"seq": "x"},
        {"status": "won"},
    ]
    return cut + odd + [json.dumps({"at": stamp(), "boot_id": "b"} | more).encode() for more in wrong]


def test_hundreds_of_invalid_messages_stop_nothing(orion: Orion) -> None:
    device, other = orion.born(a_tool()), orion.lamp()
    lines, marks = orion.tap.lines, len(orion.controller.said())
    kinds = ("presence", "profile", "heartbeat", "event", "reply/main", "reply/other")
    for body in rubbish():
        for kind in kinds:
            device.peer.send(f"{device.topic}/{kind}", body)
    other.fence()
    device.fence()
    verb = orion.site.begin("run", device.id, "light", "on=true")
    device.reply(device.expect_command().json(), "succeeded", result={})

    assert verb.answer()["status"] == "succeeded"
    assert orion.tap.lines == lines
    said = orion.controller.said()[marks:]
    assert "Traceback" not in said
    warned = [line for line in said.splitlines() if "WARNING" in line and device.id in line]
    assert 1 <= len(warned) <= 2  # once per device and minute with the reason, not once a message


def test_a_message_over_256_kib_is_dropped_and_one_of_that_size_is_taken(orion: Orion) -> None:
    device = orion.lamp()
    for size, taken in ((LIMIT, True), (LIMIT + 1, False)):
        said: Json = {"id": fresh(), "type": "long", "severity": "info", "data": {}, "at": stamp()}
        said["padding"] = ""
        said["padding"] = "x" * (size - len(json.dumps(said)))
        device.peer.publish(f"{device.topic}/event", said)
        device.fence()
        assert device.acked(event=said["id"]) == taken


# --- restarts --------------------------------------------------------------------------------------


def test_a_killed_controller_loses_nothing_and_repeats_nothing(orion: Orion) -> None:
    device, ghost = orion.born(a_tool(), a_tool("danger", risk="high")), orion.born(a_tool())
    beat = {"at": stamp(), "seq": 1, "boot_id": ghost.boot_id}
    ghost.peer.publish(f"{ghost.topic}/heartbeat", beat, qos=0, retain=True)
    ghost.fence()
    ghost.presence("offline", reason="stopped")
    ghost.fence()
    ghost.close()
    asking = asked(orion, device, "danger", "on=true")
    command = asked(orion, device)
    sent = device.expect_command(id=command["command_id"]).json()
    device.reply(sent, "accepted")
    device.fence()
    until(lambda: orion.settled(command["command_id"])["accepted_at"])
    born = orion.spy.expect(PRESENCE).json()["boot_id"]
    before = orion.site.cli("devices", "show", ghost.id)
    mark = orion.spy.mark()
    orion.controller.kill()
    device.reply(sent, "succeeded", result={"on": True})
    event = device.event(type="while_away")
    lost = orion.spy.expect(PRESENCE, after=mark, within=12, state="offline").json()
    orion.start_controller()
    until(lambda: device.acked(event=event) and device.acked(reply=sent["id"]))
    orion.spy.expect(approval_topic(asking), after=mark, id=asking["approval_id"])

    assert lost["reason"] == "connection_lost"
    assert lost["boot_id"] == born
    again = orion.spy.all(PRESENCE, after=mark, state="online")[-1].json()
    assert again["boot_id"] != born
    assert orion.settled(command["command_id"])["status"] == "succeeded"
    assert {seen.json()["id"] for seen in device.peer.all(f"{device.topic}/command")} == {sent["id"]}
    after = orion.site.cli("devices", "show", ghost.id)
    assert (after["status"], after["last_seen_at"]) == (before["status"], before["last_seen_at"])
    orion.site.cli("approvals", "deny", asking["approval_id"])


def test_nothing_the_controller_said_breaks_the_contract(orion: Orion) -> None:
    """Over the whole session, whatever ran before: forms of ids and times, and what is retained."""
    device = orion.lamp()
    asked(orion, device)
    device.reply(device.expect_command().json(), "succeeded", result={})
    device.fence()
    ours = [seen for seen in orion.spy.seen if seen.topic.endswith(("/command", "/cancel", "/ack"))]

    assert ours
    for seen in ours:
        assert not seen.retain
        assert seen.qos == 1
        assert len(seen.payload) <= LIMIT
        said = seen.json()
        assert all(AT.match(said[name]) for name in ("at", "issued_at", "expires_at") if name in said)
        assert "id" not in said or UUID7.match(said["id"])
        assert "requested_by" not in said or said["requested_by"]["via"] in VIAS

"""Our controller against strangers' devices: acks, events, presence, profiles and tools."""

import json
import time

import pytest

from tests.conformance.conftest import Orion
from tests.conformance.controller_side import (
    AT,
    a_schema,
    approval_topic,
    asked,
    refused,
)
from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import Json, fresh, stamp, until


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

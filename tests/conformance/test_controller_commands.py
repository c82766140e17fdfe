"""Our controller against strangers' devices: its session, and a command there and back."""

import json
from typing import Any

import pytest

from tests.conformance.conftest import Orion
from tests.conformance.controller_side import (
    AT,
    AUDIT,
    PRESENCE,
    TRACEPARENT,
    UUID7,
    a_schema,
    asked,
    refused,
    seconds,
)
from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import MQTTv311, stamp, until
from tests.conformance.wiretap import read_connect, read_subscribe


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
    for packet in orion.tap.packets(kind=8):  # on whichever line: a busy machine may take two to begin
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

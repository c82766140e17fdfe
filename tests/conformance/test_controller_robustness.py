"""Our controller against strangers' devices: whatever arrives, and restarts."""

import json

from tests.conformance.conftest import Orion
from tests.conformance.controller_side import (
    AT,
    LIMIT,
    PRESENCE,
    UUID7,
    VIAS,
    approval_topic,
    asked,
)
from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import Json, fresh, stamp, until


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
    born = orion.spy.all(PRESENCE, state="online")[-1].json()["boot_id"]
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

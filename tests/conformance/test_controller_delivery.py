"""Our controller against strangers' devices: silence, kills, waiting orders and contradictions."""

from itertools import count, pairwise
from typing import Any

from tests.conformance.conftest import Orion
from tests.conformance.controller_side import AT, AUDIT, UUID7, asked, seconds
from tests.conformance.fake_device import FakeDevice, a_tool
from tests.conformance.wire_peer import Json, MQTTv311, fresh, stamp, until
from tests.conformance.wiretap import read_topic

FINAL = {"succeeded", "failed", "rejected", "expired", "cancelled", "interrupted"}
PUBLISH, PUBACK = 3, 4


def waiting(orion: Orion, device: FakeDevice, *options: str) -> Json:
    """An order to a device that is away, which waits for it."""
    return orion.site.cli("run", device.id, "light", "on=true", "--when-online", "--no-wait", *options)


def away(orion: Orion) -> FakeDevice:
    """A lamp that has said that it goes."""
    device = orion.lamp()
    device.presence("offline", reason="sleeping")
    device.fence()
    return device


def test_a_silent_device_is_asked_again_and_again_until_the_order_expires(orion: Orion) -> None:
    brief = a_tool(timeout_s=1)  # so that its end does not wait long for a reply
    silent, old, answering = orion.born(brief), orion.born(a_tool(), protocol=MQTTv311), orion.lamp()
    calls = [
        orion.site.begin("run", device.id, "light", "on=true", "--no-wait", "--expires", "18s")
        for device in (silent, old, answering)
    ]
    name = calls[0].answer()["command_id"]
    for call in calls[1:]:
        call.answer()
    taken = answering.expect_command().json()
    answering.reply(taken, "accepted")
    until(lambda: orion.settled(name)["finished_at"], within=30, what="the end of the order")
    sent = silent.peer.all(f"{silent.topic}/command", id=name)
    status = orion.settled(name)["status"]
    silent.reply(sent[0].json(), "succeeded", result={"on": True})
    until(lambda: silent.acked(reply=name), what="the Ack of a late reply")

    assert status in {"expired", "interrupted"}
    assert orion.settled(name)["status"] == status
    assert [seen.json()["attempt"] for seen in sent] == list(range(1, len(sent) + 1))
    assert len(sent) >= 3
    gaps = [later.at - earlier.at for earlier, later in pairwise(sent)]
    assert 4.5 <= gaps[0] <= 8
    assert all(later > earlier for earlier, later in pairwise(gaps))
    assert sent[-1].at - sent[0].at < 18
    for seen in sent:
        extra: Any = seen.properties
        assert seen.json() == sent[0].json() | {"attempt": seen.json()["attempt"]}
        assert extra.CorrelationData == name.encode()
        assert extra.MessageExpiryInterval <= 19 - (seen.at - sent[0].at)
    assert [seen.json()["attempt"] for seen in old.peer.all(f"{old.topic}/command")][:2] == [1, 2]
    assert len(answering.peer.all(f"{answering.topic}/command")) == 1
    answering.reply(taken, "succeeded", result={})


def test_a_kill_loses_and_doubles_no_event_and_no_outcome(orion: Orion) -> None:
    """What the device publishes once is stored once: the PUBACK, and the Ack, come after the commit."""
    device = orion.born(a_tool())
    asking = [orion.site.begin("run", device.id, "light", "on=true", "--no-wait") for _ in range(4)]
    names = [call.answer()["command_id"] for call in asking]
    sent = [device.expect_command(id=name).json() for name in names]
    events = [fresh() for _ in range(300)]
    for number, name in enumerate(events):
        said = {"id": name, "type": "flood", "severity": "info", "data": {"n": number}, "at": stamp()}
        device.peer.send(f"{device.topic}/event", said)
        if number % 60 == 59 and sent:
            device.reply(sent.pop(), "succeeded", result={"n": number})
        if number == 200:
            until(lambda: device.acked(event=events[0]), what="a first Ack")
            orion.controller.kill()
    device.peer.publish(f"{device.topic}/event", said)  # once more, the last of all
    orion.start_controller()
    until(lambda: all(device.acked(event=name) for name in events), within=20, what="every Ack")
    until(lambda: all(device.acked(reply=name) for name in names), within=20, what="every Ack")

    listed = orion.site.cli("events", "list", "--device", device.id, "--type", "flood", "--limit", "1000")
    assert sorted(item["data"]["n"] for item in listed["items"]) == list(range(300))
    for name in names:
        assert orion.settled(name)["status"] == "succeeded"
        assert len(finals(orion, name)) <= 1  # QoS 0: what was about to be said goes with the controller
    ends = ("--device", device.id, "--action", "command.succeeded")
    audited = orion.site.cli("audit", "list", *ends)["items"]
    assert sorted(each["command_id"] for each in audited) == sorted(names)


def finals(orion: Orion, command_id: str) -> list[str]:
    """The outcomes of a command in the audit that travels."""
    said = [seen.json()["action"] for seen in orion.spy.all(AUDIT, command_id=command_id)]
    return [action for action in said if action.removeprefix("command.") in FINAL]


def test_an_order_that_waits_outlives_a_kill_and_leaves_once_for_one_whole_life(orion: Orion) -> None:
    device = away(orion)
    order = waiting(orion, device)
    orion.controller.kill()
    orion.start_controller()
    device.boot_id = "another-life"
    device.profile([a_tool()])
    device.fence()
    device.presence(boot_id="yet-another-life")
    device.fence()
    assert not device.peer.all(f"{device.topic}/command")
    device.presence()
    sent = device.expect_command(id=order["command_id"]).json()
    device.presence("offline", boot_id="yet-another-life", reason="connection_lost")
    device.presence()
    device.reply(sent, "succeeded", result={})
    device.fence()

    assert orion.settled(order["command_id"])["status"] == "succeeded"
    assert len(device.peer.all(f"{device.topic}/command")) == 1


def test_an_order_that_waited_too_long_or_was_cancelled_never_leaves(orion: Orion) -> None:
    device = away(orion)
    short, long = waiting(orion, device, "--expires", "2s"), waiting(orion, device)
    orion.site.cli("commands", "cancel", long["command_id"])
    until(lambda: orion.settled(short["command_id"])["finished_at"], what="the end of its time")
    device.profile([a_tool()])
    device.presence()
    device.fence()

    assert orion.settled(short["command_id"])["status"] == "expired"
    assert orion.settled(long["command_id"])["status"] == "cancelled"
    direct = asked(orion, device)
    device.reply(device.expect_command().json(), "succeeded", result={})
    assert {seen.json()["id"] for seen in device.peer.all(f"{device.topic}/command")} == {
        direct["command_id"]
    }


def test_a_cancel_is_published_and_the_device_has_the_last_word(orion: Orion) -> None:
    stops, ends = orion.lamp(), orion.lamp()
    for device, status in ((stops, "cancelled"), (ends, "succeeded")):
        name = asked(orion, device)["command_id"]
        sent = device.expect_command(id=name).json()
        device.reply(sent, "accepted")
        orion.site.cli("commands", "cancel", name)
        seen = device.peer.expect(f"{device.topic}/cancel", command_id=name)
        device.reply(sent, status, result={})
        device.reply(sent, "failed", error={"code": "busy", "message": "No."})
        device.fence()
        cancel = seen.json()

        assert UUID7.match(cancel["id"])
        assert AT.match(cancel["at"])
        assert seconds(cancel["expires_at"]) > seconds(cancel["at"])
        assert (seen.qos, seen.retain) == (1, False)
        assert orion.settled(name)["status"] == status
        assert finals(orion, name) == [f"command.{status}"]


def test_replies_in_any_order_and_number_make_one_end(orion: Orion) -> None:
    device = orion.lamp()
    name = asked(orion, device)["command_id"]
    sent = device.expect_command(id=name).json()
    device.reply(sent, "progress", progress=0.5)
    device.reply(sent, "progress", progress=7)
    device.reply(sent, "accepted", boot_id="an-older-life")
    device.reply(sent, "won")
    for status in ("interrupted", "succeeded", "interrupted", "accepted", "succeeded", "progress"):
        said = {"command_id": name, "status": status, "at": stamp(), "boot_id": device.boot_id}
        device.peer.send(sent["reply_to"], said)
    device.fence()

    assert orion.settled(name)["status"] == "interrupted"
    assert finals(orion, name) == ["command.interrupted"]
    assert device.acked(reply=name)


def test_one_event_fifty_times_at_once_is_one_event(orion: Orion) -> None:
    device = orion.lamp()
    said: Json = {"id": fresh(), "type": "echo", "severity": "info", "data": {}, "at": stamp()}
    for _ in range(50):
        device.peer.send(f"{device.topic}/event", said)
    device.fence()

    listed = orion.site.cli("events", "list", "--device", device.id, "--type", "echo")
    assert len(listed["items"]) == 1
    assert device.acked(event=said["id"])


def test_two_programs_under_one_name_are_an_identity_conflict(orion: Orion) -> None:
    device = orion.born(a_tool())
    lives = [device.boot_id, "another-program"]
    for number in range(1, 8):
        device = device.again()
        orion.devices.append(device)
        device.boot_id = lives[number % 2]
        device.birth([a_tool()])
        device.fence()

    kinds = [item["type"] for item in orion.site.cli("events", "list", "--device", device.id)["items"]]
    assert "identity_conflict" in kinds


def skews(orion: Orion, device: FakeDevice) -> list[Json]:
    """What was raised of its clock."""
    listed = orion.site.cli("events", "list", "--device", device.id, "--type", "clock_skew")
    return list(listed["items"])


def test_a_device_whose_clock_is_wrong_is_told_of_and_still_commanded(orion: Orion) -> None:
    device = orion.lamp()
    device.presence(at=stamp(-3 * 24 * 3600))
    command = asked(orion, device)
    sent = device.expect_command(id=command["command_id"]).json()
    device.reply(sent, "succeeded", at=stamp(-3 * 24 * 3600), result={})
    device.fence()

    numbers = count()

    def told() -> bool:
        """One more heartbeat, and whether its clock has been noticed."""
        beat = {"at": stamp(-3 * 24 * 3600), "seq": next(numbers), "boot_id": device.boot_id}
        device.peer.publish(f"{device.topic}/heartbeat", beat, retain=True, qos=0)
        device.fence()
        return bool(skews(orion, device))

    until(told, within=40, what="the event of a wrong clock")
    assert len(skews(orion, device)) == 1
    assert abs(seconds(sent["issued_at"]) - seconds(stamp())) < 60
    assert orion.settled(command["command_id"])["status"] == "succeeded"


def test_no_puback_of_the_controller_crosses_a_connection(orion: Orion) -> None:
    for line in range(orion.tap.lines):
        given: set[bytes] = set()
        for packet in orion.tap.packets(line=line):
            if packet.kind == PUBLISH and not packet.from_client and packet.flags & 6:
                at = 2 + len(read_topic(packet).encode())
                given.add(packet.body[at : at + 2])
            elif packet.kind == PUBACK and packet.from_client:
                assert packet.body[:2] in given

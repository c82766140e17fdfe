"""A device's credentials: what its owner can order in the controller's name, or answer in another's."""

import pytest

from tests.conformance.wire_peer import fresh, stamp
from tests.security.lies import DEVICE, lie, said
from tests.security.rows import Seen, attempt
from tests.security.stand import Stand, a_command


@attempt(
    DEVICE,
    "publish a command on another device's `command`, at QoS 0, 1 and 2 and retained",
    never="it is executed",
    control="the controller's command to that device is executed",
)
def test_a_command_to_another_device(stand: Stand, seen: Seen) -> None:
    path, good = stand.victim.path(), stand.victim.path()
    command = a_command(stand.victim.topic, "create_directory", {"path": str(path)})
    answer = said(stand, f"{stand.victim.topic}/command", command)

    seen.control(stand.victim.make(good)["status"] == "succeeded" and good.is_dir())
    assert not path.exists()
    assert not stand.overheard(command["id"])
    seen.became(answer, "nothing arrived, nothing ran")


@attempt(
    DEVICE,
    "publish a command on another third party's device's `command`",
    never="that device receives it",
    control="the controller's command arrives there",
)
def test_a_command_to_a_third_partys_device(stand: Stand, seen: Seen) -> None:
    word = fresh()
    answer = said(stand, f"{stand.lamp.topic}/command", a_command(stand.lamp.topic, "light", {"on": word}))

    seen.control(stand.light(stand.lamp)["arguments"] == {"on": True})
    assert not any(word.encode() in one.payload for one in stand.lamp.peer.seen)
    seen.became(answer, "nothing arrived")


@attempt(
    DEVICE,
    "call off another device's command: publish on its `cancel`",
    never="the command is cancelled",
    control="the controller's cancel arrives",
)
def test_a_cancel_of_anothers_command(stand: Stand, seen: Seen) -> None:
    mark = stand.lamp.peer.mark()
    ordered = stand.order(stand.lamp.id, "light", wait=0, on=True)
    command = stand.lamp.expect_command(after=mark).json()
    cancel = {"id": fresh(), "command_id": command["id"], "at": stamp(), "expires_at": stamp(60)}
    answer = said(stand, f"{stand.lamp.topic}/cancel", cancel)
    assert not stand.lamp.peer.all(f"{stand.lamp.topic}/cancel", after=mark)

    stand.http.post(f"commands/{ordered['command_id']}/cancel").raise_for_status()
    seen.control(stand.lamp.peer.expect(f"{stand.lamp.topic}/cancel", after=mark, command_id=command["id"]))
    stand.lamp.reply(command, "cancelled")
    stand.lamp.fence()
    seen.became(answer, "nothing arrived")


@attempt(
    DEVICE,
    "acknowledge another device's events on its `ack`, so that it forgets them",
    never="that device receives it",
    control="the controller's Ack arrives",
)
def test_an_ack_to_another_device(stand: Stand, seen: Seen) -> None:
    word = fresh()
    answer = said(stand, f"{stand.lamp.topic}/ack", {"at": stamp(), "events": [word]})
    stand.lamp.fence()  # by an event of its own, acknowledged

    seen.control(stand.lamp.peer.all(f"{stand.lamp.topic}/ack"))
    assert not stand.lamp.acked(event=word)
    seen.became(answer, "nothing arrived")


@attempt(
    DEVICE,
    "answer another device's command on that device's `reply/…`",
    never="the command settles",
    control="the device's own answer settles it",
)
def test_a_reply_in_anothers_name(stand: Stand, seen: Seen) -> None:
    mark = stand.lamp.peer.mark()
    ordered = stand.order(stand.lamp.id, "light", wait=0, on=True)
    command = stand.lamp.expect_command(after=mark).json()
    forged = {"command_id": command["id"], "status": "succeeded", "at": stamp(), "boot_id": fresh()}
    answer = said(stand, command["reply_to"], forged)
    assert stand.http.get(f"commands/{ordered['command_id']}").json()["status"] not in ("succeeded", "failed")

    stand.lamp.reply(command, "failed", error={"code": "internal", "message": "It is broken."})
    stand.lamp.fence()
    seen.control(stand.http.get(f"commands/{ordered['command_id']}").json()["status"] == "failed")
    seen.became(answer, "the command stays open until its device answers")


@attempt(
    DEVICE,
    "answer another device's command on its OWN `reply/…`",
    never="the command settles",
    control="the device's own answer settles it",
)
def test_a_reply_to_anothers_command(stand: Stand, seen: Seen) -> None:
    mark = stand.lamp.peer.mark()
    ordered = stand.order(stand.lamp.id, "light", wait=0, on=True)
    command = stand.lamp.expect_command(after=mark).json()
    topic = f"{stand.thief.topic}/reply/main"
    stand.thief.reply(command, "succeeded", topic=topic, result={})
    stand.thief.fence()
    assert stand.http.get(f"commands/{ordered['command_id']}").json()["status"] not in ("succeeded", "failed")

    stand.lamp.reply(command, "failed", error={"code": "internal", "message": "It is broken."})
    stand.lamp.fence()
    seen.control(stand.http.get(f"commands/{ordered['command_id']}").json()["status"] == "failed")
    seen.became("accepted by the broker", "refused by the controller: no command of this device")


@attempt(
    DEVICE,
    "publish a {kind} to itself, on its own `{kind}`",
    never="the broker delivers it",
    control="the controller's arrives there",
)
@pytest.mark.parametrize("kind", ["command", "cancel", "ack"])
def test_orders_to_itself(stand: Stand, seen: Seen, kind: str) -> None:
    word, message = lie()
    answer = said(stand, f"{stand.thief.topic}/{kind}", message)
    assert not any(word.encode() in one.payload for one in stand.thief.peer.seen)
    mark = stand.thief.peer.mark()
    stand.overseer.publish(f"{stand.thief.topic}/{kind}", truth := {"id": fresh()})

    seen.control(stand.thief.peer.expect(f"{stand.thief.topic}/{kind}", after=mark, id=truth["id"]))
    seen.became(answer, "nothing arrived")

"""Full administration of the broker: words in the name of a device that signs, and of people."""

from collections.abc import Callable

import pytest

from schemas.signing import Signer
from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import PREFIX, Json, fresh, stamp, until
from tests.security.forgery import Message, copied, signed
from tests.security.rows import Attacker, Seen, attempt
from tests.security.signing_device import SigningDevice
from tests.security.stand import Stand, a_command

BROKER = Attacker.BROKER
THEIRS = Signer.generate()
HOW: dict[str, Callable[[str, Json], Message]] = {
    "with no signature": lambda topic, said: signed(THEIRS, topic, said).but(user=()),
    "signed with a key of the attacker's own": lambda topic, said: signed(THEIRS, topic, said),
}


def refused(stand: Stand, device: SigningDevice) -> bool:
    """What was published before has been looked at, and the forgery was told."""
    device.fence()
    until(
        lambda: any(
            item["device_id"] == device.id and item["data"].get("code") == "bad_signature"
            for item in stand.http.get("events", params={"limit": 100}).json()["items"]
        ),
        what="the event of a bad signature",
    )
    return True


@attempt(
    BROKER,
    "answer an enrolled device's order in its name: a `reply` {how}",
    never="the order settles",
    control="the device's own answer, signed, settles it",
)
@pytest.mark.parametrize("how", [*HOW, "that the device signed, from `failed` to `succeeded`"])
def test_a_forged_reply(stand: Stand, seen: Seen, how: str) -> None:
    device = stand.signing_device()
    mark = device.peer.mark()
    stand.order(device.id, "light", wait=0, on=True)
    command = device.expect_command(after=mark).json()
    said = {"command_id": command["id"], "status": "succeeded", "at": stamp(), "boot_id": device.boot_id}
    said["result"] = {}
    if how in HOW:
        HOW[how](command["reply_to"], said).send(stand.overseer)
    else:
        error = {"code": "internal", "message": "It is broken."}
        own = signed(device.signer, command["reply_to"], said | {"status": "failed", "error": error})
        own.with_fields(status="succeeded").send(stand.overseer)
    assert refused(stand, device)
    assert stand.status_of(command) not in ("succeeded", "failed")

    device.reply(command, "failed", error={"code": "internal", "message": "It is broken."})
    device.fence()
    seen.control(stand.status_of(command) == "failed")
    seen.became("refused and told as an event", "the order stays open until its device answers")


@attempt(
    BROKER,
    "settle an enrolled device's order by another enrolled device's signed answer, moved to its `reply`",
    never="the order settles",
    control="the device's own answer, signed, settles it",
)
def test_a_moved_reply(stand: Stand, seen: Seen) -> None:
    device, accomplice = stand.signing_device(), stand.signing_device()
    mark = device.peer.mark()
    stand.order(device.id, "light", wait=0, on=True)
    command = device.expect_command(after=mark).json()
    said = {"command_id": command["id"], "status": "succeeded", "at": stamp(), "boot_id": device.boot_id}
    signed(accomplice.signer, command["reply_to"], said).send(stand.overseer)
    assert refused(stand, device)
    assert stand.status_of(command) not in ("succeeded", "failed")

    device.reply(command, "succeeded", result={})
    device.fence()
    seen.control(stand.status_of(command) == "succeeded")
    seen.became("refused: it is signed with an unknown key", "the order stays open until its device answers")


@attempt(
    BROKER,
    "report an event in an enrolled device's name, {how}",
    never="it is stored",
    control="the device's own event, signed, is stored",
)
@pytest.mark.parametrize("how", HOW)
def test_a_forged_event(stand: Stand, seen: Seen, how: str) -> None:
    device = stand.signing_device()
    word = fresh()
    event = {"id": word, "type": "service_down", "severity": "critical", "data": {}, "at": stamp()}
    HOW[how](f"{device.topic}/event", event).send(stand.overseer)
    assert refused(stand, device)
    own = device.event()
    device.fence()

    assert word not in stand.events()
    seen.control(own in stand.events())
    seen.became("refused and told as an event", "nothing is stored")


@attempt(
    BROKER,
    "replace an enrolled device's tools: its `profile`, {how}",
    never="the controller offers these tools",
    control="the device's own profile, signed, is stored",
)
@pytest.mark.parametrize("how", HOW)
def test_a_forged_profile(stand: Stand, seen: Seen, how: str) -> None:
    device = stand.signing_device()
    tools = [a_tool("explode")]
    said = {"device_id": device.id, "boot_id": device.boot_id, "at": stamp(), "tools": tools}
    HOW[how](f"{device.topic}/profile", said).but(retain=True).send(stand.overseer)
    assert refused(stand, device)
    assert [tool["name"] for tool in stand.show(device.id)["tools"]] == ["light"]

    device.profile([a_tool("dim")])
    device.fence()
    seen.control([tool["name"] for tool in stand.show(device.id)["tools"]] == ["dim"])
    seen.became("refused and told as an event", "the tools stay as they were")


@attempt(
    BROKER,
    "drive the orders of a device that signs to a new one: answer before it does, in every status",
    never="one of these answers counts",
    control="the device's own answer, signed, settles it",
)
def test_every_status(stand: Stand, seen: Seen) -> None:
    device = stand.signing_device()
    mark = device.peer.mark()
    stand.order(device.id, "light", wait=0, on=True)
    command = device.expect_command(after=mark).json()
    for status in ("accepted", "progress", "rejected", "expired", "cancelled", "interrupted", "failed"):
        said = {"command_id": command["id"], "status": status, "at": stamp(), "boot_id": device.boot_id}
        stand.overseer.publish(command["reply_to"], said)
    assert refused(stand, device)
    assert stand.status_of(command) == "sent"

    device.reply(command, "succeeded", result={})
    device.fence()
    seen.control(stand.status_of(command) == "succeeded")
    seen.became("refused and told as an event", "the order stays as it was")


@attempt(
    BROKER,
    "ask a person to approve something else: another text on an open card, retained on `approvals/ID`",
    never="the person's yes lets that something go",
    control="the order that the controller recorded runs after the yes",
)
def test_another_text_on_a_card(stand: Stand, seen: Seen) -> None:
    mark = stand.lamp.peer.mark()
    asked = stand.order(stand.lamp.id, "open_door", wait=0)
    topic = f"{PREFIX}/approvals/{asked['approval_id']}"
    card = stand.spy.expect(topic, id=asked["approval_id"]).json()
    worse = [{"device_id": stand.victim.name, "tool": "delete_path", "arguments": {"path": str(stand.files)}}]
    stand.overseer.publish(topic, card | {"commands": worse, "summary": "harmless"}, retain=True)
    answer = stand.http.post(
        f"approvals/{asked['approval_id']}/decision", json={"decision": "approve", "hash": card["hash"]}
    )
    assert answer.is_success, answer.text

    command = stand.lamp.expect_command(after=mark, id=asked["command_id"]).json()
    stand.lamp.reply(command, "succeeded", result={})
    stand.lamp.fence()
    seen.control(command["tool"] == "open_door")
    assert stand.files.is_dir()
    seen.became("the controller decides by what it recorded", "only that was sent")


@attempt(
    BROKER,
    "make up a card that nobody asked for, retained on `approvals/ID`",
    never="approving it lets something go",
    control="a card that the controller made can be approved",
)
def test_a_made_up_card(stand: Stand, seen: Seen) -> None:
    mark = stand.lamp.peer.mark()
    made_up = fresh()
    commands = [{"device_id": "victim", "tool": "delete_path", "arguments": {"path": str(stand.files)}}]
    card: Json = {"id": made_up, "hash": "0" * 64, "summary": "harmless", "risk": "low", "reasons": []}
    card |= {"commands": commands, "requested_by": "admin", "created_at": stamp(), "expires_at": stamp(60)}
    topic = f"{PREFIX}/approvals/{made_up}"
    stand.overseer.publish(topic, card, retain=True)
    answer = stand.http.post(f"approvals/{made_up}/decision", json={"decision": "approve"})
    assert answer.status_code == 404
    stand.spy.expect_cleared(topic)

    real = stand.order(stand.lamp.id, "open_door", wait=0)
    stand.http.post(f"approvals/{real['approval_id']}/decision", json={"decision": "approve"})
    command = stand.lamp.expect_command(after=mark, id=real["command_id"]).json()
    stand.lamp.reply(command, "succeeded", result={})
    stand.lamp.fence()
    seen.control(command["tool"] == "open_door")
    seen.became("unknown to the controller, which clears it", "nothing was sent")


@attempt(
    BROKER,
    "take over the controller's own session: connect by its name with its password",
    never="an enrolled device obeys",
    control="the controller comes back and is obeyed",
)
def test_the_controllers_session(stand: Stand, seen: Seen) -> None:
    path, good = stand.victim.path(), stand.victim.path()
    impostor = stand.site.controller_peer()
    impostor.connect()
    impostor.publish(
        f"{stand.victim.topic}/command",
        a_command(stand.victim.topic, "create_directory", {"path": str(path)}),
    )
    impostor.close()
    made: Json = {}

    def obeyed() -> bool:
        made.update(stand.victim.make(good))
        return bool(made["status"] == "succeeded")

    until(obeyed, within=30, what="the controller's return")
    seen.control(good.is_dir())
    assert not path.exists()
    stand.lamp.fence()
    seen.became("let in, it is the name's password", "its order is dropped")


@attempt(
    Attacker.TRAFFIC,
    "replay an enrolled device's earlier {kind}",
    never="{worse}",
    control="the device's present {kind} is taken",
)
@pytest.mark.parametrize(
    ("kind", "worse"),
    [
        ("profile", "the tools of an earlier life come back"),
        ("event", "it is stored twice"),
        ("reply", "an order of today settles"),
    ],
)
def test_replayed_words(stand: Stand, seen: Seen, kind: str, worse: str) -> None:
    device = stand.signing_device()
    mark = device.peer.mark()
    stand.order(device.id, "light", wait=0, on=True)
    command = device.expect_command(after=mark).json()
    device.reply(command, "succeeded", result={})
    event = device.event()
    device.fence()
    past = {
        "profile": stand.spy.expect(f"{device.topic}/profile"),
        "event": stand.spy.expect(f"{device.topic}/event", id=event),
        "reply": stand.spy.expect(command["reply_to"], command_id=command["id"]),
    }[kind]
    device.boot_id = f"boot-{fresh()[:8]}"  # another life, which has learned something
    device.profile([a_tool(), a_tool("dim")])
    device.presence()
    device.fence()
    mark = device.peer.mark()
    stand.order(device.id, "light", wait=0, on=False)
    today = device.expect_command(after=mark).json()
    copied(past).but(retain=past.retain and kind == "profile").send(stand.overseer)
    device.fence()
    assert stand.status_of(today) == "sent"
    assert stand.events().count(event) == 1
    assert [tool["name"] for tool in stand.show(device.id)["tools"]] == ["light", "dim"]

    device.reply(today, "succeeded", result={})
    device.fence()
    seen.control(stand.status_of(today) == "succeeded" and stand.show(device.id)["status"] == "online")
    seen.became(
        {
            "profile": "of a life that is over: ignored",
            "event": "known by its id: acknowledged, not stored",
            "reply": "names an order that is settled: ignored",
        }[kind]
    )

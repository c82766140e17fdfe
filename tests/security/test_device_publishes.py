"""A device's credentials: what its owner can say in the name of others."""

import pytest

from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import PREFIX, fresh, stamp
from tests.security.lies import DEVICE, lie, said
from tests.security.rows import Seen, attempt
from tests.security.stand import Stand


@attempt(
    DEVICE,
    "say that another device is offline: retained `presence` of its",
    never="the controller or anybody else believes it",
    control="that device says it itself, and is believed",
)
def test_presence_of_another_device(stand: Stand, seen: Seen) -> None:
    lamp = stand.device()
    word = fresh()
    said_so = {"state": "offline", "at": stamp(), "boot_id": lamp.boot_id, "reason": word}
    answer = said(stand, f"{lamp.topic}/presence", said_so)
    assert stand.show(lamp.id)["status"] == "online"
    assert not stand.overheard(word)

    lamp.presence("offline", reason="stopped")
    stand.until_status(lamp.id, "offline")
    seen.control(stand.show(lamp.id)["status_reason"] == "stopped")
    seen.became(answer, "the device stays online")


@attempt(
    DEVICE,
    "replace another device's tools: retained `profile` of its",
    never="the controller offers these tools",
    control="that device's own profile is stored",
)
def test_profile_of_another_device(stand: Stand, seen: Seen) -> None:
    lamp = stand.device()
    profile = {
        "device_id": lamp.id,
        "boot_id": lamp.boot_id,
        "at": stamp(),
        "tools": [a_tool("explode")],
    }
    answer = said(stand, f"{lamp.topic}/profile", profile)
    assert [tool["name"] for tool in stand.show(lamp.id)["tools"]] == ["light"]

    lamp.profile([a_tool(), a_tool("dim")])
    lamp.fence()
    seen.control("dim" in {tool["name"] for tool in stand.show(lamp.id)["tools"]})
    seen.became(answer, "the tools stay as they were")


@attempt(
    DEVICE,
    "say on its own `profile` that it is another device",
    never="the other device's tools change",
    control="a profile under its own name is stored",
)
def test_a_profile_under_anothers_name(stand: Stand, seen: Seen) -> None:
    thief = stand.device()
    before = stand.show(stand.lamp.id)["tools"]
    thief.profile([a_tool("explode")], device_id=stand.lamp.id)
    thief.fence()
    assert stand.show(stand.lamp.id)["tools"] == before
    assert [tool["name"] for tool in stand.show(thief.id)["tools"]] == ["light"]

    thief.profile([a_tool("dim")])
    thief.fence()
    seen.control([tool["name"] for tool in stand.show(thief.id)["tools"]] == ["dim"])
    seen.became("accepted by the broker", "refused by the controller: not the device of its topic")


@attempt(
    DEVICE,
    "publish another device's `heartbeat`",
    never="the controller or a reader takes it for that device's",
    control="that device's own heartbeat arrives",
)
def test_a_heartbeat_of_another_device(stand: Stand, seen: Seen) -> None:
    word, beat = lie(seq=1, cpu_percent=99.0)
    mark = stand.spy.mark()
    answer = said(stand, f"{stand.victim.topic}/heartbeat", beat)

    seen.control(stand.spy.expect(f"{stand.victim.topic}/heartbeat", after=mark))
    assert not stand.overheard(word)
    seen.became(answer, "nothing arrived")


@attempt(
    DEVICE,
    "report an event in another device's name, on its `event`",
    never="it is stored",
    control="an event on the device's own topic is stored",
)
def test_an_event_of_another_device(stand: Stand, seen: Seen) -> None:
    word, event = lie(type="service_down", severity="critical", data={})
    answer = said(stand, f"{stand.lamp.topic}/event", event)
    own = stand.thief.event()
    stand.thief.fence()
    items = stand.http.get("events", params={"limit": 50}).raise_for_status().json()["items"]

    seen.control(own in str(items))
    assert word not in str(items)
    seen.became(answer, "nothing is stored")


@attempt(
    DEVICE,
    "publish on {topic}",
    never="anybody receives it, or finds it retained",
    control="somebody with the controller's rights publishes there",
)
@pytest.mark.parametrize(
    "topic",
    [
        "`controllers/main/presence`: the controller is gone",
        "`controllers/keys`: other keys to believe",
        "`approvals/ID`: a card that nobody made",
        "`audit`: a line that never was",
        "`users/anna/request`: words of a person",
        "`users/anna/decision`: a person's yes",
        "`users/anna/response`: an answer to a person",
        "`users/thief/request`: words under its own name",
        "`join/ID/request`: a device that joins",
        "`join/ID/response`: an answer to a device that joins",
        "`homeassistant/light/set`: Home Assistant's root",
        "`devices/thief/other`: a kind that does not exist",
        "`devices/thief`: its own root",
        "`devices/thief/reply/main/more`: below its own replies",
    ],
    ids=lambda topic: topic.split("`")[1],
)
def test_topics_of_others(stand: Stand, seen: Seen, topic: str) -> None:
    where = f"{PREFIX}/{topic.split('`')[1]}"
    if where.startswith(f"{PREFIX}/controllers/"):  # a life of the real controller is not played with
        where = where.replace("/main/", "/other/")
    word, message = lie()
    stand.overseer.subscribe(where)
    mark = stand.overseer.mark()
    answer = said(stand, where, message)
    stand.overseer.publish(where, truth := {"id": fresh()})

    seen.control(stand.overseer.expect(where, after=mark, id=truth["id"]))
    assert not any(word.encode() in one.payload for one in (*stand.overseer.seen, *stand.spy.seen))
    seen.became(answer, "nothing arrived")


@attempt(
    DEVICE,
    "take the question that a person is asked away: an empty retained `approvals/ID`",
    never="the card is cleared",
    control="a person's decision clears it",
)
def test_clearing_a_card(stand: Stand, seen: Seen) -> None:
    card = stand.order(stand.lamp.id, "open_door", wait=0)["approval_id"]
    topic = f"{PREFIX}/approvals/{card}"
    stand.spy.expect(topic, id=card)
    answer = stand.thief.peer.publish(topic, b"", retain=True)
    stand.thief.fence()
    assert stand.spy.all(topic)[-1].payload

    stand.http.post(f"approvals/{card}/decision", json={"decision": "deny"}).raise_for_status()
    seen.control(stand.spy.expect_cleared(topic).retain)
    seen.became(f"PUBACK “{answer}”", "the card stays")

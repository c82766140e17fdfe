"""One device's flood does not starve the others, and nobody is put off without need."""

import pytest

from controller.mqtt.complaints import Complaints
from controller.mqtt.floods import BEHIND, PAUSE, Floods
from schemas.topics import Kind
from tests.controller.mqtt.door import Door, stored, until
from tests.controller.mqtt.floods.flood import Time, crowded
from tests.controller.mqtt.peer import Peer
from tests.factories import an_event

OF_ONE = {"loud": 90, "calm": 5, "quiet": 5}


def test_who_takes_more_than_a_share_is_put_off_while_the_rest_is_heard(
    floods: Floods, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    crowded(floods, time, OF_ONE, seconds=BEHIND + 1)

    assert [each for each in OF_ONE if floods.puts_off(each)] == ["loud"]
    assert floods.put_off == {"loud": 1}
    assert "loud: 1800 of 2000 messages in 5 s are its own; its events are put off" in caplog.text


def test_what_a_device_may_send_is_said_in_whole_numbers(
    floods: Floods, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10_000):
        floods.hears("loud", Kind.HEARTBEAT, 100)

    assert "more than 50 messages or 1,048,576 bytes a second" in caplog.text


def test_a_controller_that_keeps_up_puts_nobody_off(floods: Floods, time: Time) -> None:
    crowded(floods, time, OF_ONE, seconds=4 * BEHIND, full=False)

    assert not any(floods.puts_off(each) for each in OF_ONE)


def test_a_short_rush_puts_nobody_off(floods: Floods, time: Time) -> None:
    for _ in range(10):
        crowded(floods, time, OF_ONE, seconds=BEHIND - 1)
        time.now += 2 * PAUSE

    assert not any(floods.puts_off(each) for each in OF_ONE)


def test_many_who_send_alike_are_all_heard(floods: Floods, time: Time) -> None:
    alike = {f"d{number}": 10 for number in range(10)}

    crowded(floods, time, alike, seconds=4 * BEHIND)

    assert not any(floods.puts_off(each) for each in alike)


def test_a_device_that_is_alone_is_heard(floods: Floods, time: Time) -> None:
    crowded(floods, time, {"loud": 100}, seconds=4 * BEHIND)

    assert not floods.puts_off("loud")


def test_who_was_put_off_is_heard_as_soon_as_there_is_room(floods: Floods, time: Time) -> None:
    crowded(floods, time, OF_ONE, seconds=BEHIND + 1)

    crowded(floods, time, OF_ONE, seconds=0.1, full=False)

    assert not floods.puts_off("loud")


async def test_an_event_that_is_put_off_is_neither_stored_nor_acknowledged_and_may_come_again(
    door: Door, laptop: Peer, time: Time
) -> None:
    floods = door.link._inbox.floods = Floods(Complaints(time), time)
    crowded(floods, time, {"laptop": 90, "printer": 5}, seconds=BEHIND + 1)

    async def over() -> bool:
        return not floods._flooding

    await laptop.say(Kind.EVENT, an_event("loud"))
    await until(over)  # with its batch: in the same one the next would be put off too
    await laptop.say(Kind.EVENT, an_event("next"))
    assert (await laptop.heard("/ack")).json["events"] == ["next"]
    assert await door.store.read(stored) == ["next"]
    assert floods.put_off == {"laptop": 1}

    await laptop.say(Kind.EVENT, an_event("loud"))

    assert (await laptop.heard("/ack")).json["events"] == ["loud"]
    assert await door.store.read(stored) == ["loud", "next"]

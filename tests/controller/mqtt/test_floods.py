"""One device's flood does not starve the others, and nobody is put off without need."""

from collections import Counter

import pytest

from broker.session import Received
from controller.mqtt.complaints import Complaints
from controller.mqtt.floods import AHEAD, BEHIND, LONGEST_CATCH_UP, PAUSE, UNACKED, Floods
from controller.mqtt.inbox import BATCH, MAX_HEARTBEATS, Inbox
from controller.mqtt.meter import BACKLOG, PATIENCE, QUEUED, Amount
from controller.mqtt.outbox import Outbox
from controller.store.store import Store
from schemas.topics import Kind, Topics
from tests.controller.mqtt.door import Door, stored
from tests.controller.mqtt.peer import Peer
from tests.factories import a_heartbeat, an_event


class Time:
    """Seconds, which a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def crowded(floods: Floods, time: Time, shares: dict[str, int], *, seconds: float, full: bool = True) -> None:
    """Batches in which each device sends so much, for so long."""
    until = time.now + seconds
    while time.now < until:
        for device_id, count in shares.items():
            for _ in range(count):
                floods.hears(device_id, Kind.REPLY, 100)
        time.now += PAUSE / 4
        floods.taken(full=full)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def floods(time: Time) -> Floods:
    return Floods(Complaints(time), time)


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

    await laptop.say(Kind.EVENT, an_event("loud"))
    await laptop.say(Kind.EVENT, an_event("next"))
    assert (await laptop.heard("/ack")).json["events"] == ["next"]
    assert await door.store.read(stored) == ["next"]
    assert floods.put_off == {"laptop": 1}

    await laptop.say(Kind.EVENT, an_event("loud"))

    assert (await laptop.heard("/ack")).json["events"] == ["loud"]
    assert await door.store.read(stored) == ["loud", "next"]


class Told:
    """Whom the floods gave up to be shut out, and what they had sent."""

    def __init__(self, floods: Floods) -> None:
        self.devices: dict[str, Amount] = {}
        floods.tell = self.devices.__setitem__


def flood(floods: Floods, kind: Kind, count: int, *, device_id: str = "loud") -> int:
    """Say something so often, all at once; how much of it was heard."""
    return sum(floods.hears(device_id, kind, 100) for _ in range(count))


def come_back(floods: Floods, count: int, *, device_id: str = "honest", full: bool = True) -> int:
    """Say so much as a spool does: some, and more when that was taken; how much of it was heard."""
    heard = 0
    for start in range(0, count, UNACKED):
        heard += flood(floods, Kind.EVENT, min(UNACKED, count - start), device_id=device_id)
        floods.taken(full=full)
    return heard


def test_of_a_device_that_sends_more_than_it_may_heartbeats_are_dropped_and_the_rest_is_heard(
    floods: Floods, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told(floods)
    come_back(floods, BACKLOG, device_id="loud")

    assert flood(floods, Kind.HEARTBEAT, 5) == 0
    assert flood(floods, Kind.EVENT, 5) == flood(floods, Kind.REPLY, 5) == 5

    assert (floods.dropped, told.devices) == ({"loud": 5}, {})
    assert caplog.text.count("its heartbeats are dropped") == 1


def test_a_device_that_is_far_beyond_what_it_may_is_given_up_once_and_not_heard_any_more(
    floods: Floods,
) -> None:
    told = Told(floods)

    heard = come_back(floods, BACKLOG + 2_000, device_id="loud")

    assert heard == BACKLOG + PATIENCE * 50
    assert told.devices == {"loud": Amount(heard + 1, 100 * (heard + 1), 0.0)}
    assert not floods.hears("loud", Kind.PRESENCE, 10)
    assert floods.hears("calm", Kind.HEARTBEAT, 10)


def test_a_device_that_does_not_wait_for_acks_is_given_up_long_before_it_has_sent_a_spool(
    floods: Floods,
) -> None:
    told = Told(floods)

    assert flood(floods, Kind.EVENT, BACKLOG) == UNACKED + AHEAD + PATIENCE * 50
    assert list(told.devices) == ["loud"]


def test_a_device_that_waits_for_acks_may_bring_a_whole_spool(floods: Floods) -> None:
    told = Told(floods)

    assert come_back(floods, 10_000) == 10_000
    assert flood(floods, Kind.HEARTBEAT, 1, device_id="honest") == 1
    assert not told.devices


def test_of_replies_that_nobody_asked_for_a_batch_takes_only_some(floods: Floods) -> None:
    assert flood(floods, Kind.REPLY, 256) == UNACKED
    for _ in range(64):
        floods.expect("busy")
    assert flood(floods, Kind.REPLY, 256, device_id="busy") == 256

    floods.taken(full=True)
    assert flood(floods, Kind.REPLY, 1) == 1


def test_what_waits_to_be_taken_counts_before_it_is_taken(floods: Floods) -> None:
    told = Told(floods)
    far = UNACKED + AHEAD + int(PATIENCE * 50)

    floods.look_ahead(Counter({"honest": far, "loud": far + 1}))

    assert list(told.devices) == ["loud"]
    assert told.devices["loud"].messages == far + 1
    assert floods.hears("honest", Kind.EVENT, 10)
    assert not floods.hears("loud", Kind.EVENT, 10)


def test_answers_that_wait_to_be_taken_are_no_flood(floods: Floods) -> None:
    told = Told(floods)
    for _ in range(1_000):
        floods.expect("busy")

    floods.look_ahead(Counter({"busy": 4_000}))

    assert not told.devices


def test_what_the_broker_kept_and_waits_to_be_taken_is_held_against_nobody(floods: Floods) -> None:
    told = Told(floods)
    floods.catch_up()

    floods.look_ahead(Counter({"honest": 2_000}))

    assert not told.devices


def test_heartbeats_have_no_backlog(floods: Floods) -> None:
    told = Told(floods)

    assert flood(floods, Kind.HEARTBEAT, 2_000) == PATIENCE * 50
    assert list(told.devices) == ["loud"]


def test_who_is_let_in_again_begins_anew(floods: Floods) -> None:
    told = Told(floods)
    flood(floods, Kind.EVENT, BACKLOG + 2_000)

    floods.let_in("loud")

    assert come_back(floods, BACKLOG, device_id="loud") == BACKLOG
    assert flood(floods, Kind.HEARTBEAT, 1) == 0
    assert list(told.devices) == ["loud"]


def test_where_nobody_shuts_out_nobody_is_unheard(floods: Floods) -> None:
    assert flood(floods, Kind.EVENT, BACKLOG + 2_000) == BACKLOG + 2_000


def test_a_device_may_answer_as_many_commands_as_it_is_sent(floods: Floods) -> None:
    told = Told(floods)

    for _ in range(2 * BACKLOG):
        floods.expect("busy")
        assert flood(floods, Kind.REPLY, 2, device_id="busy") == 2

    assert not told.devices


def test_what_the_broker_kept_while_the_controller_was_away_is_held_against_nobody(
    floods: Floods, time: Time
) -> None:
    told = Told(floods)
    floods.catch_up()
    for _ in range(100):
        flood(floods, Kind.EVENT, 500, device_id="honest")
        time.now += 0.1
        floods.taken(full=False)  # it comes as fast as it is acknowledged, and not always many at once
    floods.caught_up()

    assert come_back(floods, BACKLOG) == BACKLOG
    assert not told.devices
    flood(floods, Kind.EVENT, 1_000, device_id="honest")
    assert list(told.devices) == ["honest"]


def test_where_the_broker_never_shows_its_end_it_is_not_waited_for_for_ever(
    floods: Floods, time: Time
) -> None:
    told = Told(floods)
    floods.catch_up()
    time.now += LONGEST_CATCH_UP + 1
    floods.taken(full=False)

    flood(floods, Kind.EVENT, 2_000)

    assert list(told.devices) == ["loud"]


def test_no_more_than_a_broker_can_have_kept_is_believed_to_be_kept(floods: Floods) -> None:
    told = Told(floods)
    floods.catch_up()

    flood(floods, Kind.EVENT, BACKLOG + QUEUED + 1)

    assert list(told.devices) == ["loud"]


async def test_heartbeats_of_ever_more_strangers_take_no_more_room(store: Store) -> None:
    topics = Topics()
    inbox = Inbox(store, Outbox(store, topics, instance="main"), topics)
    beat = a_heartbeat().encode()
    strangers = [f"d{number}" for number in range(3 * MAX_HEARTBEATS)]

    for start in range(0, len(strangers), BATCH):
        named = strangers[start : start + BATCH]
        await inbox._handle(
            [Received(topics.device(each, Kind.HEARTBEAT), beat, qos=0, retain=False) for each in named]
        )
        assert len(inbox._heartbeats) < MAX_HEARTBEATS + BATCH

"""What waits to be taken counts at once, and what the broker kept is held against nobody."""

from collections import Counter

from controller.mqtt.floods import AHEAD, LONGEST_CATCH_UP, UNACKED, Floods
from controller.mqtt.meter import BACKLOG, PATIENCE, QUEUED
from schemas.topics import Kind
from tests.controller.mqtt.floods.flood import Time, Told, come_back, flood


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

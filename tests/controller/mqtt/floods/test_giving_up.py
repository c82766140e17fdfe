"""A device that is far beyond what it may send is given up, and one that waits for acks never."""

import pytest

from broker.session import Received
from controller.mqtt.floods import AHEAD, UNACKED, Floods
from controller.mqtt.inbox import BATCH, MAX_HEARTBEATS, Inbox
from controller.mqtt.meter import BACKLOG, PATIENCE, Amount
from controller.mqtt.outbox import Outbox
from controller.store.store import Store
from schemas.topics import Kind, Topics
from tests.controller.mqtt.floods.flood import Told, come_back, flood
from tests.factories import a_heartbeat


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

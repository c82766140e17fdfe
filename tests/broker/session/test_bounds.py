"""What is sent, taken and kept is bounded, and nothing is lost by it that was assured."""

import asyncio

import pytest

from broker.session import Congested, PayloadTooLarge, Session, Subscription, inbox
from schemas.topics import Kind
from schemas.wire import MAX_PAYLOAD
from tests.broker.running import RunningBroker
from tests.broker.session.sessions import TOPIC, a_session, connected, within


async def test_receive_takes_what_has_arrived_up_to_the_limit(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        await session.subscribe([Subscription(TOPIC)])
        await asyncio.gather(*(session.publish(TOPIC, str(n).encode()) for n in range(20)))
        await session.publish(TOPIC, b"last")
        taken: list[bytes] = []
        while b"last" not in taken:
            batch = await session.receive(7)
            assert len(batch) <= 7
            taken += [message.payload for message in batch]

    assert taken == [*(str(n).encode() for n in range(20)), b"last"]


async def test_more_than_the_receive_maximum_is_sent_in_turn(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        codes = await asyncio.gather(*(session.publish(TOPIC, b"{}") for _ in range(2_500)))
    assert set(codes) == {0x10}


async def test_oversized_message_is_not_sent_and_the_connection_lives(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        with pytest.raises(PayloadTooLarge) as caught:
            await session.publish(TOPIC, b"x" * 300_000)
        assert caught.value.limit == 294_912
        assert await session.publish(TOPIC, b"{}") == 0x10


async def test_largest_payload_of_the_wire_contract_fits(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        assert await session.publish(TOPIC, b"x" * MAX_PAYLOAD) == 0x10


async def test_queue_of_what_is_to_be_sent_is_bounded(broker: RunningBroker) -> None:
    async with connected(a_session(broker, max_queued=5)) as session:
        futures = [session.publish(TOPIC, b"{}") for _ in range(1_010)]
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[-5:]] == [Congested] * 5
    assert outcomes[:1_005] == [0x10] * 1_005


async def test_oldest_unassured_messages_give_way(broker: RunningBroker) -> None:
    async with connected(a_session(broker, max_queued=3)) as session:
        await session.subscribe([Subscription(TOPIC)])
        for number in range(1, 6):
            await session.publish(TOPIC, str(number).encode(), qos=0 if number != 2 else 1)
        await session.publish(TOPIC, b"end", qos=1)
        kept: list[bytes] = []
        await session.subscribe([Subscription("orion/v1/approvals/+")])  # its SUBACK came after all of them
        while b"end" not in kept:
            kept += [message.payload for message in await session.receive(10)]

    assert kept == [b"2", b"3", b"4", b"5", b"end"]
    assert session.dropped == 1


async def test_who_takes_nothing_is_not_filled_up_and_gets_all_of_it_later(
    broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, count = 2_000, 6_000
    monkeypatch.setattr(inbox, "MOST", most)
    sender = await broker.add_device("sender")
    topic = broker.topics.device("sender", Kind.HEARTBEAT)
    async with connected(a_session(broker)) as slow, connected(Session(sender, client_id="sender")) as quick:
        await slow.subscribe([Subscription(topic, qos=0)])
        for number in range(count):
            quick.publish(topic, b"%d" % number, qos=0)
            if number % 500 == 0:
                await asyncio.sleep(0)  # its own queue is bounded too
        await within(quick.publish(broker.topics.device("sender", Kind.EVENT), b"{}"))

        async with asyncio.timeout(5.0):
            while slow.waiting < most:
                await asyncio.sleep(0.01)
        got: list[bytes] = []
        while len(got) < count:
            assert slow.waiting <= most
            got += [message.payload for message in await within(slow.receive(100))]

    assert got == [b"%d" % number for number in range(count)]
    assert slow.dropped == 0

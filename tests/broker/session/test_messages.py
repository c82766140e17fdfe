"""A message arrives whole, once it is subscribed to, and again until it is acknowledged."""

from broker.session import PublishProperties, Received, RetainHandling, Subscription
from tests.broker.running import RunningBroker
from tests.broker.session.sessions import TOPIC, a_session, connected


async def test_message_arrives_whole_with_its_properties(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        await session.subscribe([Subscription(TOPIC)])
        properties = PublishProperties(
            expiry_s=60,
            response_topic="a/b",
            correlation=b"1",
            content_type="application/json",
            user_properties=(("signature", "s"), ("key_id", "k")),
        )
        code = await session.publish(TOPIC, b'{"a": 1}', properties=properties)
        (message,) = await session.receive(10)

    assert code == 0
    assert (message.topic, message.payload, message.qos, message.retain) == (TOPIC, b'{"a": 1}', 1, False)
    assert message.expiry_s == 60
    assert message.user_properties == (("signature", "s"), ("key_id", "k"))


async def test_publishing_to_nobody_is_told(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        assert await session.publish(TOPIC, b"{}") == 0x10


async def test_what_was_not_acknowledged_comes_again(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        await session.subscribe([Subscription(TOPIC)])
        for number in (b"1", b"2"):
            await session.publish(TOPIC, number)
        messages: list[Received] = []
        while len(messages) < 2:
            messages += await session.receive(10)
        session.ack(messages[0])

    async with connected(again := a_session(broker)) as session:
        (message,) = await session.receive(10)
        assert message.payload == b"2"
        session.ack(message)
    assert not again.alive


async def test_acknowledgement_never_crosses_a_reconnect(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        await session.subscribe([Subscription(TOPIC)])
        await session.publish(TOPIC, b"{}")
        (early,) = await session.receive(1)

    async with connected(a_session(broker)) as session:
        (late,) = await session.receive(1)
        session.ack(early)  # of the other connection, though the packet id is the same
        assert late.mid == early.mid

    async with connected(a_session(broker)) as session:
        (still_there,) = await session.receive(1)
        assert still_there.payload == b"{}"


async def test_retain_handling_keeps_old_messages_away(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        await session.publish(TOPIC, b"old", retain=True)
        await session.subscribe(
            [Subscription(TOPIC, retain_handling=RetainHandling.DO_NOT_SEND, retain_as_published=True)]
        )
        await session.publish(TOPIC, b"new", retain=True)
        (message,) = await session.receive(1)
        assert (message.payload, message.retain) == (b"new", True)


async def test_unsubscribed_topics_fall_silent(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as session:
        await session.subscribe([Subscription(TOPIC), Subscription("orion/v1/approvals/+")])
        await session.unsubscribe([TOPIC])
        await session.publish(TOPIC, b"unheard")
        await session.publish("orion/v1/approvals/1", b"heard")
        (message,) = await session.receive(10)
        assert message.payload == b"heard"

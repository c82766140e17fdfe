"""One connection: what is acknowledged, what is bounded, what a loss does."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from broker.session import (
    Backoff,
    Congested,
    Connected,
    ConnectFailed,
    ConnectionLost,
    Endpoint,
    PayloadTooLarge,
    PublishProperties,
    Received,
    RetainHandling,
    Session,
    Subscription,
    Will,
    inbox,
    keep_connected,
    reconnect,
)
from schemas.topics import Kind
from schemas.wire import MAX_PAYLOAD
from tests.broker.running import RunningBroker
from tests.ports import free_port

TOPIC = "orion/v1/audit"  # the controller may publish and read it
Outcome = TypeVar("Outcome")
QUICK = Backoff(first_s=0.01, longest_s=0.05, not_let_in_s=0.05)


def a_session(broker: RunningBroker, *, max_queued: int = 10_000) -> Session:
    return Session(broker.controller, client_id="controller-main", max_queued=max_queued)


@contextlib.asynccontextmanager
async def connected(session: Session) -> AsyncIterator[Session]:
    await session.connect()
    try:
        yield session
    finally:
        await session.close()


async def within(awaited: Awaitable[Outcome], seconds: float = 5.0) -> Outcome:
    async with asyncio.timeout(seconds):
        return await awaited


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def reads_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"\x20\x7f" + b"\xff" * 127)
    await reader.read()
    writer.close()


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[Endpoint]:
    """A server that is no broker."""
    served: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.ensure_future(handler(reader, writer)))

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
        await within(asyncio.gather(*served))


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


async def test_lost_connection_ends_everything_that_waits(broker: RunningBroker) -> None:
    session = a_session(broker)
    await session.connect()
    receiving = asyncio.create_task(session.receive(1))
    await asyncio.sleep(0)
    pid = broker.supervisor.pid
    assert pid is not None
    unanswered = [session.publish(TOPIC, b"{}") for _ in range(5_000)]
    os.kill(pid, signal.SIGKILL)
    error = await within(session.lost())
    assert isinstance(error, ConnectionLost)
    with pytest.raises(ConnectionLost):
        await receiving
    outcomes = await asyncio.gather(*unanswered, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {ConnectionLost, int}
    assert isinstance(outcomes[-1], ConnectionLost)
    with pytest.raises(ConnectionLost):
        await session.publish(TOPIC, b"{}")
    with pytest.raises(ConnectionLost):
        await session.subscribe([Subscription(TOPIC)])
    await session.close()


async def test_broker_that_falls_silent_is_noticed(broker: RunningBroker) -> None:
    session = Session(broker.controller, client_id="controller-main", keepalive_s=1)
    await session.connect()
    assert broker.supervisor.pid is not None
    os.kill(broker.supervisor.pid, signal.SIGSTOP)
    try:
        error = await within(session.lost(), 10)
    finally:
        os.kill(broker.supervisor.pid, signal.SIGCONT)
    assert "silent" in str(error)
    await session.close()


async def test_quiet_connection_is_kept_alive(broker: RunningBroker) -> None:
    async with connected(Session(broker.controller, client_id="controller-main", keepalive_s=1)) as session:
        with pytest.raises(TimeoutError):
            await within(session.lost(), 2.5)


async def test_taken_over_session_is_lost(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as first, connected(a_session(broker)):
        error = await within(first.lost())
        assert isinstance(error, ConnectionLost)


async def test_will_waits_for_its_delay_and_a_return_prevents_it(broker: RunningBroker) -> None:
    presence = "orion/v1/devices/laptop/presence"
    endpoint = await broker.add_device("laptop")

    def device(delay_s: int) -> Session:
        return Session(endpoint, client_id="laptop", will=Will(presence, b"gone", delay_s=delay_s))

    async with connected(a_session(broker)) as watching:
        await watching.subscribe([Subscription(presence)])
        first = device(1)
        await first.connect()
        await first.close(keep_will=True)
        back = device(0)
        await back.connect()
        await back.publish(presence, b"online", retain=True)
        (message,) = await watching.receive(1)
        assert message.payload == b"online"
        await back.close(keep_will=True)
        (message,) = await watching.receive(1)
        assert message.payload == b"gone"


async def test_clean_close_leaves_no_will(broker: RunningBroker) -> None:
    presence = "orion/v1/devices/laptop/presence"
    endpoint = await broker.add_device("laptop")
    async with connected(Session(endpoint, client_id="laptop", will=Will(presence, b"gone", delay_s=0))):
        pass
    async with connected(a_session(broker)) as watching:
        await watching.subscribe([Subscription(presence)])
        await watching.publish(presence, b"marker")
        (message,) = await watching.receive(1)
        assert message.payload == b"marker"


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


async def test_wrong_password_is_told_apart_from_an_absent_broker(broker: RunningBroker) -> None:
    wrong = Session(broker.endpoint("controller-main", "wrong"), client_id="controller-main")
    with pytest.raises(ConnectFailed) as refused:
        await wrong.connect()
    assert refused.value.not_let_in

    absent = Session(Endpoint("127.0.0.1", free_port()), client_id="x")
    with pytest.raises(ConnectFailed) as unreachable:
        await absent.connect()
    assert not unreachable.value.not_let_in


async def test_server_that_never_answers_is_given_up() -> None:
    async with listening(reads_only) as endpoint:
        with pytest.raises(ConnectFailed, match="no answer"):
            await Session(endpoint, client_id="x").connect(within_s=0.2)


async def test_server_that_talks_nonsense_is_given_up() -> None:
    async with listening(talks_nonsense) as endpoint:
        with pytest.raises(ConnectFailed):
            await Session(endpoint, client_id="x").connect()


def test_password_is_in_no_representation() -> None:
    assert "hidden" not in repr(Endpoint("127.0.0.1", 1883, "user", "hidden"))


async def test_connection_is_kept_across_a_killed_broker(broker: RunningBroker) -> None:
    served: list[bool] = []

    async def serve(session: Session, connected: Connected) -> None:
        served.append(connected.session_present)
        if len(served) == 3:
            return
        await session.subscribe([Subscription(TOPIC)])
        assert broker.supervisor.pid is not None
        os.kill(broker.supervisor.pid, signal.SIGKILL)
        async with asyncio.TaskGroup() as group:
            group.create_task(session.receive(1))

    await within(keep_connected(lambda: a_session(broker), serve, backoff=QUICK), 20)
    assert len(served) == 3


async def test_serving_that_does_not_notice_the_loss_is_ended(broker: RunningBroker) -> None:
    rounds = 0

    async def serve(session: Session, _connected: Connected) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            await session.close(keep_will=True)
            await asyncio.Event().wait()

    await within(keep_connected(lambda: a_session(broker), serve, backoff=QUICK))
    assert rounds == 2


async def test_fault_in_serving_goes_out(broker: RunningBroker) -> None:
    async def serve(_session: Session, _connected: Connected) -> None:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await within(keep_connected(lambda: a_session(broker), serve, backoff=QUICK))


async def test_stop_ends_the_waiting_for_an_absent_broker() -> None:
    stop = asyncio.Event()
    absent = Endpoint("127.0.0.1", free_port())

    async def serve(_session: Session, _connected: Connected) -> None:
        raise AssertionError("nothing to serve")

    keeping = asyncio.create_task(
        keep_connected(lambda: Session(absent, client_id="x"), serve, stop=stop, backoff=QUICK)
    )
    await asyncio.sleep(0.1)
    assert not keeping.done()
    stop.set()
    await within(keeping)


async def test_stop_ends_an_attempt_that_gets_no_answer() -> None:
    stop = asyncio.Event()

    async def serve(_session: Session, _connected: Connected) -> None:
        raise AssertionError("nothing to serve")

    async with listening(reads_only) as endpoint:
        keeping = asyncio.create_task(
            keep_connected(lambda: Session(endpoint, client_id="x"), serve, stop=stop, backoff=QUICK)
        )
        await asyncio.sleep(0.05)
        stop.set()
        await within(keeping, 2)


async def test_given_up_attempt_leaves_nothing_open(broker: RunningBroker) -> None:
    session = a_session(broker)
    connecting = asyncio.create_task(session.connect())
    await asyncio.sleep(0)  # the thread is on its way
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert not session.alive
    await session.close()
    async with connected(a_session(broker)) as later:  # the first one never comes to take it over
        assert await later.publish(TOPIC, b"{}") == 0x10


async def test_serving_that_does_not_end_with_stop_is_ended(
    broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnect, "STOP_WITHIN", 0.1)
    stop = asyncio.Event()

    async def serve(_session: Session, _connected: Connected) -> None:
        stop.set()
        await asyncio.Event().wait()

    await within(keep_connected(lambda: a_session(broker), serve, stop=stop), 5)


async def test_outage_is_said_once(caplog: pytest.LogCaptureFixture, broker: RunningBroker) -> None:
    attempts = 0

    def open_session() -> Session:
        nonlocal attempts
        attempts += 1
        password = broker.controller.password if attempts > 4 else "wrong"
        return Session(broker.endpoint("controller-main", password), client_id="controller-main")

    async def serve(_session: Session, _connected: Connected) -> None:
        return

    with caplog.at_level("INFO", logger="broker.session"):
        await within(keep_connected(open_session, serve, backoff=QUICK))
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "does not let controller-main in" in caplog.text
    assert "Connected again" in caplog.text

"""A connection is kept: made anew after each loss, until it is told to stop."""

import asyncio
import os
import signal

import pytest

from broker.session import Connected, Endpoint, Session, Subscription, keep_connected, reconnect
from tests.broker.running import RunningBroker
from tests.broker.session.sessions import QUICK, TOPIC, a_session, within
from tests.broker.session.strangers import listening, reads_only
from tests.ports import free_port


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

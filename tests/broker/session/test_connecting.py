"""An attempt to connect ends, says why, and leaves nothing open."""

import asyncio

import pytest

from broker.session import ConnectFailed, Endpoint, Session
from tests.broker.running import RunningBroker
from tests.broker.session.sessions import TOPIC, a_session, connected
from tests.broker.session.strangers import listening, reads_only, talks_nonsense
from tests.ports import free_port


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

"""Who has a place is let in, who lost it is thrown out, and the others do not notice."""

import asyncio

import pytest

from broker.identities import await_active
from broker.session import ConnectFailed, Endpoint, Session
from tests.broker.encrypted import joined
from tests.broker.identities.topics import A
from tests.broker.running import RunningBroker


@pytest.mark.parametrize(
    ("username", "password"), [(None, None), ("a", None), ("a", "wrong"), ("nobody", "x")]
)
async def test_stranger_is_not_let_in(
    broker: RunningBroker, username: str | None, password: str | None
) -> None:
    await broker.add_device("a")
    session = Session(Endpoint("127.0.0.1", broker.settings.port, username, password), client_id="a")
    with pytest.raises(ConnectFailed) as caught:
        await session.connect()
    assert caught.value.not_let_in


async def test_client_id_is_bound_to_the_name(broker: RunningBroker) -> None:
    b = await broker.add_device("b")
    async with joined(await broker.add_device("a")) as device:
        impostor = Session(b, client_id="a")
        await impostor.connect()
        await device.publish(f"{A}/event", b"{}")
        assert device.alive  # its session was not taken over
        await impostor.close()


async def test_added_identity_disturbs_nobody(broker: RunningBroker) -> None:
    async with joined(broker.controller) as controller, joined(await broker.add_device("a")) as device:
        await broker.add_device("c")
        await broker.add_debug_user()
        await controller.publish("orion/v1/audit", b"{}")
        await device.publish(f"{A}/event", b"{}")
        assert controller.alive
        assert device.alive


async def test_removed_identity_is_thrown_out_and_stays_out(broker: RunningBroker) -> None:
    endpoint = await broker.add_device("a")
    async with joined(broker.controller) as controller, joined(endpoint) as device:
        await asyncio.to_thread(broker.identities.remove, "a")
        async with asyncio.timeout(5):
            await device.lost()
        assert controller.alive
    with pytest.raises(ConnectFailed):
        await await_active(endpoint, within_s=0.2)


async def test_rotated_password_replaces_the_old_one(broker: RunningBroker) -> None:
    old = await broker.add_device("a")
    password = await asyncio.to_thread(broker.identities.rotate, "a")
    await await_active(broker.endpoint("a", password))
    with pytest.raises(ConnectFailed):
        await await_active(old, within_s=0.2)

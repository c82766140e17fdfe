"""By the encrypted listener the same names, passwords and rights count as by the other."""

import asyncio

import pytest

from broker.session import ConnectFailed, Endpoint, PublishRefused, Session, Subscription
from tests.broker.encrypted import HERE, EncryptedBroker, joined, received
from tests.broker.tls.conftest import EVENT


async def test_both_listeners_know_the_same_names_and_rights(secure: EncryptedBroker) -> None:
    device = await secure.running.add_device("a")
    async with (
        joined(secure.running.controller) as controller,
        joined(secure.encrypted(device)) as encrypted,
    ):
        await controller.subscribe([Subscription("orion/v1/#")])
        assert await encrypted.publish(EVENT, b"by tls") == 0
        (message,) = await received(controller, 1)
        assert message.payload == b"by tls"
        with pytest.raises(PublishRefused):
            await encrypted.publish("orion/v1/devices/b/event", b"{}")
        await encrypted.subscribe([Subscription("orion/v1/devices/a/command")])
        await controller.publish("orion/v1/devices/a/command", b"by plain")
        (command,) = await received(encrypted, 1)
        assert command.payload == b"by plain"


async def test_a_wrong_password_and_none_are_refused_by_tls_too(secure: EncryptedBroker) -> None:
    await secure.running.add_device("a")
    for username, password in (("a", "guessed"), (None, None)):
        session = Session(
            Endpoint(HERE, secure.tls_port, username, password, secure.context()), client_id="a"
        )
        with pytest.raises(ConnectFailed) as caught:
            await session.connect()
        assert caught.value.not_let_in


async def test_removed_device_is_out_by_tls_too(secure: EncryptedBroker) -> None:
    device = secure.encrypted(await secure.running.add_device("a"))
    async with joined(device) as session, asyncio.timeout(2):
        await asyncio.to_thread(secure.running.identities.remove, "a")
        await session.lost()
    with pytest.raises(ConnectFailed):
        await Session(device, client_id="a").connect()


@pytest.mark.parametrize("encrypted", [False, True])
async def test_client_id_is_bound_to_the_name(secure: EncryptedBroker, *, encrypted: bool) -> None:
    device, thief = [await secure.running.add_device(name) for name in ("a", "thief")]
    if encrypted:
        device, thief = secure.encrypted(device), secure.encrypted(thief)
    async with joined(secure.running.controller) as controller:
        async with joined(device) as first:
            await first.subscribe([Subscription("orion/v1/devices/a/command")])
        await controller.publish("orion/v1/devices/a/command", b"for a only")
        async with joined(thief, client_id="a") as stolen:
            await stolen.subscribe([Subscription("orion/v1/devices/a/command")])
            await controller.publish("orion/v1/devices/thief/ack", b"marker")
            await stolen.subscribe([Subscription("orion/v1/devices/thief/ack")])
            await controller.publish("orion/v1/devices/thief/ack", b"marker")
            (message,) = await received(stolen, 1)
            assert message.payload == b"marker"
        async with joined(device) as again:
            (command,) = await received(again, 1)
            assert command.payload == b"for a only"


async def test_a_take_over_goes_across_listeners(secure: EncryptedBroker) -> None:
    device = await secure.running.add_device("a")
    async with joined(device) as plain, joined(secure.encrypted(device)) as encrypted:
        await asyncio.wait_for(plain.lost(), 2)
        assert encrypted.alive

"""What is true of a remote broker alone: whose clients are ours, and what is said when it cannot be asked."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from broker.dynsec import Remote
from broker.dynsec.control import TOPIC, conversation
from broker.identities import BrokerUnreachable, NameTaken, UnknownIdentity
from broker.rights import Role
from broker.session import PublishRefused
from schemas.topics import Topics
from tests.broker.administered import joined, tell
from tests.broker.remote import ADMIN, RemoteBroker, remote_broker
from tests.ports import free_port


@pytest.fixture
async def remote(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RemoteBroker]:
    """A remote broker for this test alone."""
    async with remote_broker(tmp_path_factory.mktemp("remote")) as running:
        yield running


async def test_a_client_that_is_not_ours_is_left_alone(remote: RemoteBroker) -> None:
    async with conversation(remote.admin) as control:
        await control.ask({"command": "createClient", "username": "theirs", "password": "x"})

    for name in ("theirs", ADMIN):
        with pytest.raises(UnknownIdentity):
            await remote.administration.remove(name)
        with pytest.raises(UnknownIdentity):
            await remote.administration.rotate(name)
        with pytest.raises(NameTaken, match="somebody that Orion did not add"):
            await remote.administration.add_device(name)
    assert set(await remote.administration.all()) == {"controller-main"}
    async with joined(replace(remote.admin, username="theirs", password="x")):
        pass


async def test_a_role_that_an_interrupted_program_left_gives_no_right(remote: RemoteBroker) -> None:
    acl = {"acltype": "publishClientSend", "topic": "#", "allow": True}
    async with conversation(remote.admin) as control:
        await control.ask({"command": "createRole", "rolename": "orion-a", "acls": [acl]})

    place = replace(remote.admin, username="a", password=await remote.administration.add_device("a"))

    async with joined(place) as session:
        own = "orion/v1/devices/a/event"
        assert await tell(session, [own, "orion/v1/devices/a/command", "elsewhere"]) == {own}


async def test_a_removal_that_was_interrupted_can_be_repeated(remote: RemoteBroker) -> None:
    await remote.administration.add_device("a")
    async with conversation(remote.admin) as control:
        await control.ask(
            {"command": "removeClientRole", "username": "a", "rolename": "orion-a"},
            {"command": "deleteRole", "rolename": "orion-a"},
        )

    await remote.administration.remove("a")

    assert "a" not in await remote.administration.all()


async def test_more_clients_than_fit_into_one_answer_are_all_found(remote: RemoteBroker) -> None:
    wanted = {f"d{number}" for number in range(230)}
    clients = [
        {"command": "createClient", "username": name, "textdescription": "orion:device"}
        for name in sorted(wanted)
    ]
    async with conversation(remote.admin) as control:
        await control.ask(*clients)

    assert set(await remote.administration.all()) == wanted | {"controller-main"}


@pytest.mark.parametrize("role", [Role.DEVICE, Role.ADMIN, Role.DEBUG, Role.HOME_ASSISTANT])
async def test_nobody_but_the_administrator_administers(remote: RemoteBroker, role: Role) -> None:
    administration = remote.administration
    made = administration.add_device("a") if role is Role.DEVICE else administration.add_user("a", role)
    for place in (replace(remote.admin, username="a", password=await made), remote.controller):
        async with joined(place) as session:
            with pytest.raises(PublishRefused):
                await session.publish(TOPIC, b'{"commands": [{"command": "deleteClient", "username": "a"}]}')
            with pytest.raises(BrokerUnreachable):
                async with conversation(place) as control:
                    await control.ask({"command": "listClients"})


async def test_what_undoes_the_identities_is_named(remote: RemoteBroker) -> None:
    assert await remote.administration.faults() == []
    async with conversation(remote.admin) as control:
        await control.ask({"command": "createClient", "username": "theirs", "password": "x"})
    (unbound,) = await remote.administration.faults()
    assert "'theirs' may take a device's client id" in unbound
    async with conversation(remote.admin) as control:
        closed = [
            {"acltype": "publishClientReceive", "allow": False},
            {"acltype": "subscribe", "allow": True},
        ]
        await control.ask({"command": "setDefaultACLAccess", "acls": closed})
    (open_to_all,) = await remote.administration.faults()
    assert "everybody may publish or subscribe" in open_to_all


async def test_a_controller_that_has_its_name_keeps_its_password(remote: RemoteBroker) -> None:
    await remote.administration.ensure_controller("main", secrets.token_urlsafe(32))

    async with joined(remote.controller):
        pass


async def test_a_broker_that_cannot_be_asked_is_told_of_without_a_password(remote: RemoteBroker) -> None:
    secret = remote.admin.password or ""
    strangers = [
        replace(remote.admin, password="wrong-" + secret),
        replace(remote.admin, port=free_port()),
        remote.controller,
    ]
    for stranger in strangers:
        administration = Remote(stranger, Topics())
        for attempt in (administration.all(), administration.add_device("a"), administration.rotate("a")):
            with pytest.raises(BrokerUnreachable) as caught:
                await attempt
            assert secret not in str(caught.value)
            assert str(stranger.password) not in str(caught.value)
    assert secret not in repr(remote.administration.__dict__)


async def test_answers_to_several_conversations_are_not_mixed_up(remote: RemoteBroker) -> None:
    async with conversation(remote.admin) as control:
        found = await asyncio.gather(
            *(control.ask({"command": "getClient", "username": name}) for name in ("nobody", ADMIN))
        )

    assert [answers[0].error for answers in found] == ["Client not found", None]

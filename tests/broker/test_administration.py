"""Names given, shut out, replaced and taken away, on both administrations."""

import asyncio
import secrets
from dataclasses import replace

import pytest

from broker.identities import BadName, NameTaken, UnknownIdentity
from broker.rights import DEVICES, USERS, Role
from broker.session import ConnectFailed, Endpoint, Session, Subscription
from tests.broker.administered import DYNSEC, Administered, ask_for, heard_until, joined, tell

D = "orion/v1/devices/a"
END = b"the end"
WEEK = 7 * 86_400


async def refused(endpoint: Endpoint, client_id: str | None = None) -> bool:
    session = Session(endpoint, client_id=client_id or endpoint.username or "", session_expiry_s=0)
    try:
        await session.connect()
    except ConnectFailed as error:
        return error.not_let_in
    await session.close()
    return False


async def thrown_out(session: Session) -> None:
    async with asyncio.timeout(5):
        await session.lost()


async def test_somebody_new_is_let_in_when_it_is_said(administered: Administered) -> None:
    administration = administered.administration
    password = secrets.token_urlsafe(32)
    await administration.add_joining("abcd", password)
    places = [
        await administered.device("a"),
        administered.endpoint("ada", await administration.add_user("ada", Role.VIEWER)),
        administered.endpoint("join-abcd", password),
    ]

    for place in places:
        async with joined(place):
            pass
    everybody = await administration.all()
    assert everybody | {"a": Role.DEVICE, "ada": Role.VIEWER, "join-abcd": Role.JOINING} == everybody
    assert everybody["controller-main"] is Role.CONTROLLER


async def test_a_name_is_given_once_whoever_asks(administered: Administered) -> None:
    administration = administered.administration
    await administration.add_device("a")
    await administration.add_user("ada", Role.OPERATOR)
    await administration.add_joining("abcd", secrets.token_urlsafe(32))

    with pytest.raises(NameTaken, match="a device"):
        await administration.add_device("a")
    with pytest.raises(NameTaken, match="a device"):
        await administration.add_user("a", Role.ADMIN)
    with pytest.raises(NameTaken, match="an operator"):
        await administration.add_device("ada")
    with pytest.raises(NameTaken, match="an invitation"):
        await administration.add_joining("abcd", secrets.token_urlsafe(32))
    with pytest.raises(BadName):
        await administration.add_device("join-abcd")
    with pytest.raises(BadName):
        await administration.add_user("controller-main", Role.ADMIN)
    everybody = await administration.all()
    assert (everybody["a"], everybody["ada"]) == (Role.DEVICE, Role.OPERATOR)


async def test_nobody_is_let_in_without_a_name(administered: Administered) -> None:
    place = await administered.device("a")

    for stranger in (
        administered.endpoint("nobody", "x"),
        replace(place, password="x"),
        replace(place, password=None),
        replace(place, password=""),
    ):
        assert await refused(stranger)


async def test_a_client_without_a_name_is_not_let_in(administered: Administered) -> None:
    assert await refused(replace(administered.controller, username=None, password=None), "anybody")


async def test_the_client_id_of_another_opens_nothing_of_theirs(administered: Administered) -> None:
    victim, thief = await administered.device("a"), await administered.device("b")
    async with joined(administered.controller) as controller:
        async with joined(victim, session_expiry_s=WEEK) as session:
            await session.subscribe([Subscription(f"{D}/command")])
        await controller.publish(f"{D}/command", b"1")
        impostor = Session(thief, client_id="a", session_expiry_s=WEEK)
        try:
            connected = await impostor.connect()
        except ConnectFailed:
            assert administered.kind == DYNSEC
        else:
            assert not connected.session_present
            await ask_for(impostor, [f"{D}/command"])
            await impostor.close()
        await controller.publish(f"{D}/command", END)
        async with joined(victim, session_expiry_s=WEEK) as session, asyncio.timeout(5):
            assert [message.payload for message in await heard_until(session, END)] == [b"1"]


async def test_who_is_shut_out_is_gone_at_once_and_loses_nothing(administered: Administered) -> None:
    place = await administered.device("a")
    async with joined(administered.controller) as controller, joined(await administered.device("b")) as other:
        async with joined(place, session_expiry_s=WEEK) as session:
            await session.subscribe([Subscription(f"{D}/command")])
            await administered.administration.suspend("a")
            await thrown_out(session)
        assert await refused(place)
        await controller.publish(f"{D}/command", b"meanwhile")
        await administered.administration.resume("a")
        await administered.administration.resume("b")
        async with joined(place, session_expiry_s=WEEK) as session, asyncio.timeout(5):
            await controller.publish(f"{D}/command", END)
            assert [message.payload for message in await heard_until(session, END)] == [b"meanwhile"]
            assert await tell(session, [f"{D}/event", "orion/v1/devices/b/event"]) == {f"{D}/event"}
        assert controller.alive
        assert other.alive
    assert (await administered.administration.all())["a"] is Role.DEVICE


async def test_who_is_removed_is_gone_with_all_that_waited(administered: Administered) -> None:
    place = await administered.device("a")
    async with joined(administered.controller) as controller, joined(await administered.device("b")) as other:
        async with joined(place, session_expiry_s=WEEK) as session:
            await session.subscribe([Subscription(f"{D}/command")])
            await administered.administration.remove("a")
            await thrown_out(session)
        await controller.publish(f"{D}/command", b"not for the next")
        assert await refused(place)
        assert "a" not in await administered.administration.all()
        assert controller.alive
        assert other.alive
        owner = await administered.device("a")
        async with joined(owner, session_expiry_s=WEEK) as session, asyncio.timeout(5):
            await session.subscribe([Subscription(f"{D}/command")])
            await controller.publish(f"{D}/command", END)
            assert await heard_until(session, END) == []


async def test_what_waited_for_somebody_away_goes_with_the_name(administered: Administered) -> None:
    place = await administered.device("a")
    async with joined(administered.controller) as controller:
        async with joined(place, session_expiry_s=WEEK) as session:
            await session.subscribe([Subscription(f"{D}/command")])
        await controller.publish(f"{D}/command", b"not for the next")
        await administered.administration.suspend("a")
        await administered.administration.remove("a")
        owner = await administered.device("a")
        async with joined(owner, session_expiry_s=WEEK) as session, asyncio.timeout(5):
            await session.subscribe([Subscription(f"{D}/command")])
            await controller.publish(f"{D}/command", END)
            assert await heard_until(session, END) == []


async def test_a_name_that_was_a_devices_has_no_rights_of_one(administered: Administered) -> None:
    await administered.device("a")
    await administered.administration.remove("a")
    password = await administered.administration.add_user("a", Role.VIEWER)

    async with joined(administered.endpoint("a", password)) as session:
        assert await tell(session, [f"{D}/event", "orion/v1/users/a/request"]) == {"orion/v1/users/a/request"}


async def test_a_replaced_password_opens_nothing_any_more(administered: Administered) -> None:
    old = await administered.device("a")
    async with joined(old) as session:
        password = await administered.administration.rotate("a")
        await thrown_out(session)

    assert await refused(old)
    async with joined(replace(old, password=password)):
        pass


async def test_nobody_cannot_be_removed_replaced_or_shut_out(administered: Administered) -> None:
    administration = administered.administration
    for attempt in (
        administration.remove,
        administration.rotate,
        administration.suspend,
        administration.resume,
    ):
        with pytest.raises(UnknownIdentity):
            await attempt("nobody")


async def test_names_made_at_once_are_all_let_in(administered: Administered) -> None:
    places = await asyncio.gather(*(administered.device(f"d{number}") for number in range(8)))

    for place in places:
        assert not await refused(place)
    assert {f"d{number}" for number in range(8)} <= set(await administered.administration.all())


async def test_of_two_who_want_a_name_one_gets_it(administered: Administered) -> None:
    found = await asyncio.gather(administered.device("a"), administered.device("a"), return_exceptions=True)

    (taken,) = [each for each in found if isinstance(each, BaseException)]
    (place,) = [each for each in found if isinstance(each, Endpoint)]
    assert isinstance(taken, NameTaken)
    async with joined(place) as session:
        assert await tell(session, [f"{D}/event"]) == {f"{D}/event"}


async def test_who_is_no_device_is_not_touched_as_one(administered: Administered) -> None:
    administration = administered.administration
    ada = administered.endpoint("ada", await administration.add_user("ada", Role.ADMIN))
    await administered.device("a")
    async with joined(ada) as session:
        for attempt in (
            administration.rotate,
            administration.suspend,
            administration.resume,
            administration.remove,
        ):
            with pytest.raises(NameTaken, match="an admin"):
                await attempt("ada", among=DEVICES)
            with pytest.raises(NameTaken, match="a device"):
                await attempt("a", among=USERS)
        await tell(session, ["orion/v1/users/ada/request"])
        assert session.alive
    async with joined(ada) as session:
        assert await tell(session, ["orion/v1/users/ada/request"]) == {"orion/v1/users/ada/request"}
    assert (await administration.all())["a"] is Role.DEVICE

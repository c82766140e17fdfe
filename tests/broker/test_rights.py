"""What each role publishes and reads, on both administrations, judged by what is received."""

import asyncio
import secrets

import pytest

from broker.rights import USERS, Role
from broker.session import Endpoint, Session, Will
from tests.broker.administered import Administered, ask_for, heard_until, joined, tell

V = "orion/v1"
OF_A_DEVICE = {"presence", "profile", "heartbeat", "event", "command", "cancel", "ack", "reply/main", "x"}
OF_A_USER = {"request", "decision", "response", "x"}
EVERYTHING_FILTERS = ("#", "+/#", "+/+/+/+/+", f"{V}/#", f"$share/g/{V}/#", f"$share/g/{V}/devices/+/command")
END = b"the end"


def world(name: str) -> set[str]:
    """Every kind of topic: of the name itself, of others, and of nobody."""
    return {
        *(f"{V}/devices/{each}/{kind}" for each in (name, "other") for kind in OF_A_DEVICE),
        *(f"{V}/users/{each}/{kind}" for each in (name, "other") for kind in OF_A_USER),
        *(f"{V}/join/{each}/{kind}" for each in ("abcd", "other") for kind in ("request", "response")),
        f"{V}/devices/{name}/reply/main/deeper",
        f"{V}/approvals/1",
        f"{V}/controllers/main/presence",
        f"{V}/controllers/keys",
        f"{V}/audit",
        f"{V}/homeassistant/light/lamp/config",
        f"{V}/homeassistant/status",
        f"{V}/elsewhere",
        V,
    }


def published(role: Role, name: str) -> set[str]:
    """What wire.md lets a role publish."""
    match role:
        case Role.DEVICE:
            own = ("presence", "profile", "heartbeat", "event", "reply/main")
            return {f"{V}/devices/{name}/{kind}" for kind in own}
        case Role.JOINING:
            return {f"{V}/join/abcd/request"}
        case Role.GUEST | Role.VIEWER | Role.OPERATOR | Role.ADMIN:
            return {f"{V}/users/{name}/request", f"{V}/users/{name}/decision"}
        case Role.HOME_ASSISTANT:
            return {topic for topic in world(name) if "/homeassistant/" in topic}
        case _:
            return set()


def read(role: Role, name: str) -> set[str]:
    """What wire.md lets a role read."""
    everything = world(name)
    watched = {
        topic for topic in everything if "/devices/" in topic and topic.endswith(("presence", "heartbeat"))
    }
    # a name is given once: no device has this one, and what is said as if one had it reaches nobody but the controller
    watched -= {f"{V}/devices/{name}/{kind}" for kind in OF_A_DEVICE}
    response = {f"{V}/users/{name}/response"}
    match role:
        case Role.DEVICE:
            own = {f"{V}/devices/{name}/{kind}" for kind in ("command", "cancel", "ack")}
            return own | {topic for topic in everything if "/controllers/" in topic}
        case Role.JOINING:
            return {f"{V}/join/abcd/response"}
        case Role.GUEST:
            return response
        case Role.VIEWER:
            return watched | response
        case Role.OPERATOR:
            return watched | response | {f"{V}/approvals/1"}
        case Role.HOME_ASSISTANT:
            return watched | published(role, name)
        case _:
            # what a device is answered that joins holds its password
            secret = {f"{V}/join/{each}/response" for each in ("abcd", "other")}
            return {topic for topic in everything if f"/devices/{name}/" not in topic} - secret


async def let_in(broker: Administered, role: Role, name: str) -> Endpoint:
    if role is Role.DEVICE:
        return await broker.device(name)
    if role is Role.JOINING:
        password = secrets.token_urlsafe(32)
        await broker.administration.add_joining(name.removeprefix("join-"), password)
        return broker.endpoint(name, password)
    return broker.endpoint(name, await broker.administration.add_user(name, role))


def an_end(role: Role, name: str) -> str:
    return min(read(role, name))


ROLES = [Role.DEVICE, Role.JOINING, *sorted(USERS)]


def named(role: Role) -> str:
    return "join-abcd" if role is Role.JOINING else "anna"


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reads_what_the_contract_lets_it_and_nothing_else(
    administered: Administered, role: Role
) -> None:
    name = named(role)
    async with (
        joined(await let_in(administered, role, name)) as session,
        joined(administered.controller) as all_,
    ):
        everything = world(name)
        await ask_for(session, [*EVERYTHING_FILTERS, f"{V}/controllers/#", *everything])
        await tell(all_, everything)
        await all_.publish(an_end(role, name), END)
        async with asyncio.timeout(10):
            got = await heard_until(session, END)

    assert {message.topic for message in got} - unrelated(administered, role, name) == read(role, name)


def unrelated(broker: Administered, role: Role, name: str) -> set[str]:
    """What differs and harms nobody: without patterns a user may read of a device that cannot exist."""
    if broker.kind == "files" or role in (Role.DEVICE, Role.JOINING):
        return set()
    kinds = OF_A_DEVICE if role in (Role.ADMIN, Role.DEBUG) else {"presence", "heartbeat"}
    return {f"{V}/devices/{name}/{kind}" for kind in kinds} | {f"{V}/devices/{name}/reply/main/deeper"}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_publishes_what_the_contract_lets_it_and_nothing_else(
    administered: Administered, role: Role
) -> None:
    name = named(role)
    async with (
        joined(await let_in(administered, role, name)) as session,
        joined(administered.controller) as all_,
    ):
        assert f"{V}/#" in await ask_for(all_, [f"{V}/#"])
        foreign = {"$CONTROL/dynamic-security/v1", "$SYS/broker/uptime", "elsewhere", "orion-probe/x"}
        await tell(session, world(name) | foreign)
        await all_.publish(f"{V}/audit", END)
        async with asyncio.timeout(10):
            got = await heard_until(all_, END)

    assert {message.topic for message in got} == published(role, name)


@pytest.mark.parametrize("role", ROLES)
async def test_a_will_reaches_only_where_its_owner_may_publish(
    administered: Administered, role: Role
) -> None:
    name = named(role)
    place = await let_in(administered, role, name)
    own = published(role, name)
    async with joined(administered.controller) as all_:
        await ask_for(all_, [f"{V}/#"])
        for topic in [f"{V}/devices/other/presence", f"{V}/devices/other/command", *sorted(own)[:1]]:
            session = Session(place, client_id=name, will=Will(topic, b"{}", delay_s=0), session_expiry_s=0)
            await session.connect()
            await session.close(keep_will=True)
        await all_.publish(f"{V}/audit", END)
        async with asyncio.timeout(10):
            got = await heard_until(all_, END)

    assert {message.topic for message in got} == set(sorted(own)[:1])


async def test_the_controller_has_what_is_its_own(administered: Administered) -> None:
    async with joined(administered.controller) as session:
        assert await ask_for(session, [f"$share/g/{V}/#"]) == {f"$share/g/{V}/#"}
        await tell(session, world("other"))
        await tell(session, ["elsewhere", "orion-probe/x"])
        await session.publish(f"{V}/audit", END)
        async with asyncio.timeout(10):
            got = await heard_until(session, END)

    assert {message.topic for message in got} == world("other")

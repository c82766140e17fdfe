"""What is there for a request of the table of routes: both devices, and of each kind of thing one about each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from broker import certificates
from broker.identities import UnknownIdentity
from broker.rights import ANYBODY
from broker.rights import Role as BrokerRole
from controller import timetable
from controller.api.deps import Parts
from controller.services import (
    commands,
    conversations,
    devices,
    events,
    identities,
    links,
    memories,
    schedules,
    settling,
    users,
)
from controller.services.accounts import apikeys, grants, passwords
from controller.services.accounts.apikeys import NewKey
from controller.services.accounts.grants import Place
from controller.services.actors import Actor, Role
from controller.services.memories import NewMemory, Scope
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import User
from schemas import builtin
from schemas.commands import Via
from schemas.ids import new_id
from schemas.wire import format_instant
from tests.broker.administered import FILES, administered_broker
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import LAB, OTHER, OWN, PEOPLE
from tests.controller.api.people import PASSWORD, post
from tests.controller.api.table import AT_THE_ROOT, At, Route
from tests.controller.api.test_certificates import a_request as a_signing_request
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_reply, a_request, a_tool, an_event

GROUPS = {OWN: LAB, OTHER: "office"}
PUBLIC_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
KEPT = passwords.hashed(PASSWORD)


@asynccontextmanager
async def with_a_broker(api: Api, folder: Path) -> AsyncIterator[None]:
    """The API with a broker that it administers, where devices can join."""
    parts: Parts = api.app.state.parts
    async with administered_broker(FILES, folder) as broker:
        await asyncio.to_thread(certificates.ensure, broker.folder, ("localhost",), now=datetime.now(UTC))
        settings = parts.settings.model_copy(update={"join_port": 9, "identities_dir": broker.folder})
        values = {name: getattr(parts, name) for name in Parts.__slots__}
        api.app.state.parts = Parts(
            **values | {"settings": settings, "administration": broker.administration}
        )
        yield
    api.app.state.parts = parts


@dataclass(slots=True)
class World:
    """All that is there, made anew once something was changed."""

    api: Api
    there: dict[str, dict[str, Any]] | None = None

    async def before(self, route: str, device_id: str) -> At:
        """What a request may name that is about this device, by the names that paths and bodies have for it."""
        if self.there is None or route in BEFORE:
            self.there = await self.api.store.write(_made)
        at, before = self.there[device_id], BEFORE.get(route)
        return at if before is None else at | await before(self.api, at)

    def after(self, answer: httpx.Response) -> None:
        """Note whether it changed anything."""
        if answer.is_success and answer.request.method != "GET":
            self.there = None


def _made(session: Session) -> dict[str, dict[str, Any]]:
    for each in (OWN, OTHER, "fresh"):
        if devices.find(session, each) is not None:
            devices.remove(session, each, actor=ADMIN, now=NOON)
    for each in ("fresh", "mia", "dan"):
        if session.get(User, each) is not None:
            users.remove(session, each, actor=ADMIN, now=NOON)
    for planned in schedules.listed(session, actor=ADMIN):
        schedules.remove(session, planned, actor=ADMIN, now=NOON)
    session.flush()
    made = {each: _about(session, each) for each in (OWN, OTHER)}
    for name, (_, granted, _) in PEOPLE.items():
        if granted is not None and session.get(User, name) is not None:
            grants.give(session, name, *granted, actor=ADMIN, now=NOON)
    users.ensure_admin(session, now=NOON)
    session.get_one(User, users.ADMIN).password_at = None
    for_all = _mia(session) | {
        "kind": "depends_on",
        "session_id": conversations.begin(session, actor=ADMIN, now=NOON).id,
        "password": PASSWORD,
        "public_key": PUBLIC_KEY,
        "until": format_instant(datetime.now(UTC)),
        **a_signing_request(),
    }
    return {each: for_all | found for each, found in made.items()}


def _about(session: Session, device_id: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    tools = [*builtin.TOOLS.values(), a_tool(f"tool_of_{device_id}")]
    devices.add(session, a_place(device_id, groups=(GROUPS[device_id],)), actor=ADMIN, now=NOON)
    devices.store_profile(session, device_id, a_profile(device_id, tools=tools), now=NOON)
    devices.store_presence(session, device_id, a_presence(), now=NOON)
    session.flush()
    create = a_request(device_id=device_id)
    delete = a_request("delete_path", device_id=device_id, arguments={"path": "Test"})
    waiting, done, asked = (
        commands.submit(session, request, actor=ADMIN, now=now) for request in (create, create, delete)
    )
    session.flush()
    reply = a_reply(done.id, result={"created": True, "undo": True})
    settling.settle(session, device_id, reply, now=now)
    event = an_event(f"event-{new_id()}")
    events.store(session, device_id, event, now=NOON)
    place = memories.Place(Scope.DEVICE, device_id)
    memories.remember(session, NewMemory("note", f"note of {device_id}", place), actor=ADMIN, now=now)
    order = schedules.Order(create)
    timing = schedules.Timing("0 7 * * *", "UTC")
    planned = schedules.add(
        session,
        schedules.NewSchedule(order, timing),
        actor=Actor(users.ADMIN, Role.ADMIN, Via.API),
        now=now,
        following=timetable.following,
    )
    return {
        "schedule_id": planned.id,
        "device_id": device_id,
        "other_id": OTHER if device_id == OWN else OWN,
        "group": GROUPS[device_id],
        "command_id": waiting.id,
        "done_id": done.id,
        "trace_id": waiting.trace_id,
        "approval_id": asked.approval_id,
        "event_id": event.id,
        "key": "note",
    }


def _mia(session: Session) -> dict[str, Any]:
    """Somebody with all that one can have, and somebody who is disabled."""
    users.add(session, "mia", UserRole.OPERATOR, actor=ADMIN, now=NOON)
    users.add(session, "dan", UserRole.VIEWER, actor=ADMIN, now=NOON)
    session.flush()
    users.disable(session, "dan", actor=ADMIN, now=NOON)
    users.set_password(session, "mia", KEPT, once=False, actor=ADMIN, now=NOON)
    for each in (OWN, OTHER):
        grants.give(session, "mia", Place(device_id=each), Role.VIEWER, actor=ADMIN, now=NOON)
    identities.link(session, "mia", "https://id.example", "mia there", actor=ADMIN, now=NOON)
    row, _ = apikeys.create(session, "mia", NewKey("hers", ["devices:read"]), actor=ADMIN, now=NOON)
    return {"username": "mia", "key_id": row.id}


async def _linked(api: Api, at: At) -> At:
    kind = links.Kind.DEPENDS_ON
    await api.store.write(
        lambda session: links.link(session, at["device_id"], kind, at["other_id"], actor=ADMIN, now=NOON)
    )
    return {}


async def _shut_out(api: Api, at: At) -> At:
    await api.store.write(
        lambda session: devices.suspend(
            session, at["device_id"], pause_s=3600.0, figures={}, now=datetime.now(UTC)
        )
    )
    return {}


async def _waiting(api: Api, _: At) -> At:
    return {"user_code": (await post(api, "auth/device", {"client_id": "a lamp"})).json()["user_code"]}


async def _debugging(api: Api, _: At) -> At:
    administration = api.app.state.parts.administration
    with suppress(UnknownIdentity):
        await administration.remove("debug.user", among=ANYBODY)
    await administration.add_user("debug.user", BrokerRole.DEBUG)
    return {}


async def _without_names(api: Api, _: At) -> At:
    """At the broker nobody has the names that are given there."""
    administration = api.app.state.parts.administration
    for name in {"fresh", "debug.fresh"} & set(await administration.all()):
        await administration.remove(name, among=ANYBODY)
    return {}


async def _offered(api: Api, _: At) -> At:
    until = format_instant(datetime.now(UTC) + timedelta(seconds=1))
    answer: httpx.Response = await api.http.post("audit/archive", json={"until": until})
    return {"heads": answer.json()["items"]}


BEFORE = {
    "DELETE /devices/{device_id}/links/{kind}/{other_id}": _linked,
    "POST /devices/{device_id}/resume": _shut_out,
    "POST /auth/device/approve": _waiting,
    "POST /debug-users": _without_names,
    "DELETE /debug-users/{username}": _debugging,
    "POST /users": _without_names,
    "POST /devices": _without_names,
    "POST /audit/cuts": _offered,
}


def asked(route: str, row: Route, at: At) -> dict[str, Any]:
    """The request that a row speaks of, as httpx takes it."""
    method, path = route.split()
    there = at | {name: value.format(**at) for name, value in row.names.items()}
    where = path.format(**there)
    body = row.body(there)
    sent: dict[str, Any] = {"data" if row.form else "json": body} if body is not None else {}
    root = "http://orion" if path in AT_THE_ROOT else "http://orion/api/v1"
    headers = {"If-Match": "*"} if method in ("PATCH", "PUT", "DELETE", "POST") else {}
    return {"method": method, "url": root + where, "params": row.params(there), "headers": headers, **sent}

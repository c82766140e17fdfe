"""What a route is given: the parts of the controller, and who is asking.

Each of these is `async`, though few wait: what is not is called in a thread, which costs more than all it does.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated, Protocol

from fastapi import Depends, Request

from broker.administration import Administration
from controller.api.access import proxies, scopes
from controller.api.access.buckets import Quota
from controller.api.access.deviceflow import DeviceFlow
from controller.api.access.doorkeeper import Doorkeeper
from controller.api.access.elsewhere import Elsewhere
from controller.api.access.passes import Passes
from controller.api.access.refusals import Unauthorized
from controller.api.access.turns import Turns
from controller.api.lately import Lately
from controller.api.live.hub import Hub
from controller.api.live.websocket import Door
from controller.assistant.chat import Assistant
from controller.errors import Refused
from controller.instruments import Instruments
from controller.services import users
from controller.services.actors import Actor, Role
from controller.services.cuts import SignedCut
from controller.services.heads import Head, SignedHead
from controller.services.replies import Replies
from controller.services.sight import Sight
from controller.settings import ControllerSettings
from controller.store.keyring import KeyRing
from controller.store.store import Session, Store
from schemas import context
from schemas.commands import Via
from schemas.spans import Spans

LONGEST_TOKEN = 4_000  # characters
DEVICE_NAMES = ("device_id", "other_id")  # in paths: whoever does not see it, to them it is not there


class DevicesDoor(Protocol):
    """The other door, as far as a route needs it."""

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""

    def queues(self) -> dict[str, float]:
        """How much waits there, by queue."""

    async def look_again(self, device_id: str) -> None:
        """Ask the broker for what it holds of a device whose place is new."""

    def announce_keys(self) -> None:
        """Say which keys count now."""

    def say_revoked(self, device_id: str, boot_id: str) -> None:
        """Correct the presence of a device that is let in no more; at the next connect, when there is no line."""

    def use(self, password: str) -> None:
        """Connect with another password from now on."""

    def forget(self, device_id: str) -> None:
        """Take a removed device's retained words from the broker."""


class Warden(Protocol):
    """Who shuts devices out that send too much."""

    async def let_in(self, device_id: str, actor: Actor) -> None:
        """Let a device in before its time."""


class Cleaner(Protocol):
    """Who deletes what is kept no longer."""

    async def count(self) -> dict[str, int]:
        """What would be deleted now, by kind."""

    async def clean(self, *, actor: Actor) -> dict[str, int]:
        """Delete it; how much, by kind."""


class Archivist(Protocol):
    """Who takes the oldest rows of the audit away, once they are archived."""

    async def offer(self, until: datetime) -> list[SignedHead]:
        """Sign the last rows that may go."""

    async def cut(self, archived: Sequence[Head], archive: str, *, actor: Actor) -> list[SignedCut]:
        """Let the rows up to these go."""


class Notary(Protocol):
    """Who signs the ends of the audit's chains."""

    async def sign(self) -> list[SignedHead]:
        """Sign them as they are now."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What `app` built and the routes use."""

    settings: ControllerSettings
    store: Store
    replies: Replies
    devices_door: DevicesDoor
    warden: Warden
    cleaner: Cleaner
    assistant: Assistant
    keyring: KeyRing
    notary: Notary
    archivist: Archivist
    administration: Administration | None  # None: the broker is administered elsewhere
    token: str
    doorkeeper: Doorkeeper
    instruments: Instruments
    spans: Spans
    device_flow: DeviceFlow
    elsewhere: Elsewhere | None  # None: people sign in by password alone
    passes: Passes
    live: Hub
    door: Door  # of WebSockets, before it is known whose they are
    tasks: asyncio.TaskGroup  # for work that outlives its request
    quota: Quota
    lately: Lately
    turns: Turns = field(default_factory=Turns)


async def parts(request: Request) -> Parts:
    """The controller behind this request."""
    found: Parts = request.app.state.parts
    return found


Controller = Annotated[Parts, Depends(parts)]


def caller(controller: Controller, request: Request) -> str:
    """The address of who calls; empty where there is none."""
    connected = "" if request.client is None else request.client.host
    return proxies.caller(connected, request.headers, controller.settings.trusted_proxies)


Caller = Annotated[str, Depends(caller)]


async def actor(request: Request) -> Actor:
    """Who asks: the bearer of the administrator's token or of an API key, or somebody who has signed in.

    Raises:
        Unauthorized: no token, or one that opens nothing here and now.
        Refused: it is an API key, and it does not open this route.
        UnknownDevice: the path names a device that they do not see.
        TooOften: they ask more often than they may.
    """
    # taken from the request as they are: each that is declared costs more than all that is done with it here
    controller = await parts(request)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or len(given) > LONGEST_TOKEN:
        raise Unauthorized
    via = Via.CLI if request.headers.get("orion-via") == Via.CLI.value else Via.API
    if secrets.compare_digest(given.encode(), controller.token.encode()):
        context.mark(user=users.ADMIN)
        controller.quota.spend(None)
        return Actor(users.ADMIN, Role.ADMIN, via)
    found = await controller.doorkeeper.actor_of(given, via)
    context.mark(user=found.user)
    controller.quota.spend(found.user)
    if found.key is not None:
        scopes.check(request, found.key)
    named = [request.path_params[name] for name in DEVICE_NAMES if name in request.path_params]
    if named and not found.sees_all:
        await controller.store.read(partial(_check_seen, actor=found, named=named))
    return found


def _check_seen(session: Session, *, actor: Actor, named: Sequence[str]) -> None:
    sight = Sight(session, actor)
    for device_id in named:
        sight.check(device_id)


Asking = Annotated[Actor, Depends(actor)]  # anybody who may come in


async def everywhere(actor: Asking) -> Actor:
    """Whoever asks, who sees every device.

    Raises:
        Refused: they see some alone.
    """
    if not actor.sees_all:
        raise Refused(f"{actor.user} sees some devices here, and this takes {Role.VIEWER} of all.")
    return actor


async def administrator(actor: Asking) -> Actor:
    """Whoever asks, who may change what others may.

    Raises:
        Refused: they are no administrator.
    """
    if actor.role is not Role.ADMIN:
        raise Refused(f"{actor.user} is {actor.role.value} here, and this takes {Role.ADMIN}.")
    return actor


async def person(actor: Asking) -> Actor:
    """Whoever asks, and not one of their programs: what it may is not that program's to widen.

    Raises:
        Refused: they came with an API key.
    """
    if actor.key is not None:
        raise Refused("An API key does not open this: sign in.")
    return actor


SeeingAll = Annotated[Actor, Depends(everywhere)]
Personally = Annotated[Actor, Depends(person)]
Administering = Annotated[Actor, Depends(administrator)]


async def entrusting(actor: Administering, _person: Personally) -> Actor:
    """Whoever asks, who may let in and say who may what: an administrator in person.

    What such a route answers with opens something by itself, or what it says stays said, long after
    a program's key is revoked.
    """
    return actor


Entrusting = Annotated[Actor, Depends(entrusting)]

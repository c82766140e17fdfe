"""Topic → schema → service, as one table: what the controller does with each message.

A handler runs in the store's writer, inside its own SAVEPOINT, and says what to
acknowledge to the device once it is committed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from controller.services import commands, devices, events, settling
from controller.store.store import Session as StoreSession
from schemas.commands import Reply
from schemas.devices import Heartbeat, Presence, Profile
from schemas.errors import ErrorCode
from schemas.events import Event
from schemas.topics import Address, Kind
from schemas.wire import MalformedMessage, WireModel

Message = TypeVar("Message", bound=WireModel)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a device may forget: something stored for good, or refused for good."""

    device_id: str
    event: str | None = None
    reply: str | None = None
    refused: tuple[str, ErrorCode] | None = None


Handler = Callable[[StoreSession, Address, Message, datetime], Receipt | None]


@dataclass(frozen=True, slots=True)
class Route(Generic[Message]):
    """How one kind of message is read and handled. `retained`: whether a retained one may be."""

    schema: type[Message]
    handle: Handler[Message]
    retained: bool

    def read(self, payload: bytes) -> Message:
        return self.schema.decode(payload)


def profile(session: StoreSession, address: Address, message: Profile, now: datetime) -> None:
    """Store it; deny what waits for tools that it changed or dropped."""
    if message.device_id != address.owner:
        raise MalformedMessage("Profile", "device_id: not the one of its topic")
    if devices.store_profile(session, address.owner, message, now=now) is not None:
        commands.withdraw(session, address.owner, now=now)


def presence(session: StoreSession, address: Address, message: Presence, now: datetime) -> None:
    """Move the device's state."""
    devices.store_presence(session, address.owner, message, now=now)


def heartbeat(session: StoreSession, address: Address, message: Heartbeat, now: datetime) -> None:
    """Keep the latest figures."""
    devices.store_heartbeat(session, address.owner, message, now=now)


def event(session: StoreSession, address: Address, message: Event, now: datetime) -> Receipt:
    """Store it once; a device without a place here is told not to send it again."""
    if devices.find(session, address.owner) is None:
        return Receipt(address.owner, refused=(message.id, ErrorCode.UNKNOWN_DEVICE))
    events.store(session, address.owner, message, now=now)
    return Receipt(address.owner, event=message.id)


def reply(session: StoreSession, address: Address, message: Reply, now: datetime) -> Receipt | None:
    """Settle the command; a final word is acknowledged even when it changed nothing."""
    settled = settling.settle(session, address.owner, message, now=now)
    if not message.status.is_final:
        return None
    if settled is settling.Settled.REFUSED:
        return Receipt(address.owner, refused=(message.command_id, ErrorCode.NOT_FOUND))
    return Receipt(address.owner, reply=message.command_id)


ROUTES: dict[Kind, Route[Profile] | Route[Presence] | Route[Heartbeat] | Route[Event] | Route[Reply]] = {
    Kind.PROFILE: Route(Profile, profile, retained=True),
    Kind.PRESENCE: Route(Presence, presence, retained=True),
    Kind.HEARTBEAT: Route(Heartbeat, heartbeat, retained=False),
    Kind.EVENT: Route(Event, event, retained=False),
    Kind.REPLY: Route(Reply, reply, retained=False),
}

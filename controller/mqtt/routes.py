"""Topic → schema → service, as one table: what the controller does with each message.

A handler runs in the store's writer, inside a SAVEPOINT, and says what to acknowledge
once it is committed. Kinds that come in floods are handled together: one SAVEPOINT and
a few statements for all of a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from controller.errors import UnknownUser
from controller.services import commands, devices, events, mqtt_inputs, settling
from controller.store.store import Session as StoreSession
from controller.store.tables import Device
from schemas import context
from schemas.assistant import Decision, Request
from schemas.commands import Reply
from schemas.devices import Heartbeat, Presence, Profile
from schemas.errors import ErrorCode
from schemas.events import Event
from schemas.topics import Kind
from schemas.wire import MalformedMessage, WireModel

Message = TypeVar("Message", bound=WireModel)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a device may forget: something stored for good, or refused for good."""

    device_id: str
    event: str | None = None
    reply: str | None = None
    refused: tuple[str, ErrorCode] | None = None


@dataclass(frozen=True, slots=True)
class Arrived(Generic[Message]):
    """One message: whose it is, what it says, when it reached us. A person has the place of a device.

    `retained`: the broker had it in its store, so it says nothing about this moment.
    `too_fast`: its sender has said too much of late; it is answered, and nothing more.
    """

    device_id: str
    message: Message
    at: datetime
    retained: bool = False
    too_fast: bool = False


Handler = Callable[[StoreSession, Sequence[Arrived[Message]]], list[Receipt]]


@dataclass(frozen=True, slots=True)
class Route(Generic[Message]):
    """How one kind of message is read and handled.

    `retained`: whether a retained one may be. `together`: whether those of a batch are
    handled as one; what then fails is handled again in halves, down to the one at fault.
    """

    schema: type[Message]
    handle: Handler[Message]
    retained: bool = False
    together: bool = False

    def read(self, payload: bytes) -> Message:
        return self.schema.decode(payload)


def _singly(
    handle: Callable[[StoreSession, str, Message, datetime], Receipt | None],
) -> Handler[Message]:
    """A handler of one message as a handler of those of a batch."""

    def handle_each(session: StoreSession, arrived: Sequence[Arrived[Message]]) -> list[Receipt]:
        receipts: list[Receipt | None] = []
        for each in arrived:
            with context.about(device_id=each.device_id):
                receipts.append(handle(session, each.device_id, each.message, each.at))
        return [receipt for receipt in receipts if receipt is not None]

    return handle_each


def profile(session: StoreSession, device_id: str, message: Profile, now: datetime) -> None:
    """Store it; deny what waits for tools that it changed or dropped."""
    if message.device_id != device_id:
        raise MalformedMessage("Profile", "device_id: not the one of its topic")
    row = devices.store_profile(session, device_id, message, now=now)
    if row is not None:
        commands.withdraw(session, device_id, now=now)
        _move_on(session, row, now)


def presences(session: StoreSession, arrived: Sequence[Arrived[Presence]]) -> list[Receipt]:
    """Move the devices' state."""
    for each in arrived:
        row = devices.store_presence(
            session, each.device_id, each.message, now=each.at, retained=each.retained
        )
        _move_on(session, row, each.at)
    return []


def heartbeats(
    session: StoreSession, arrived: Sequence[Arrived[Heartbeat]], *, max_skew_s: float = devices.MAX_SKEW
) -> list[Receipt]:
    """Keep the latest figures; a device that was silent is back."""
    beats = [devices.Beat(each.device_id, each.message, each.at) for each in arrived]
    for row in devices.store_heartbeats(session, beats, max_skew_s=max_skew_s):
        _move_on(session, row, beats[-1].at)
    return []


def _move_on(session: StoreSession, row: Device | None, now: datetime) -> None:
    """Let leave what waited for a device that is there."""
    if row is not None and row.status == devices.DeviceStatus.ONLINE:
        settling.device_came(session, row.device_id, now=now)


def happenings(session: StoreSession, arrived: Sequence[Arrived[Event]]) -> list[Receipt]:
    """Store each once; a device without a place here is told not to send its own again."""
    placed = events.with_a_place(session, {each.device_id for each in arrived})
    kept = [each for each in arrived if each.device_id in placed]
    events.store_all(session, [events.Arrival(each.device_id, each.message, each.at) for each in kept])
    return [_event_receipt(each, kept=each.device_id in placed) for each in arrived]


def _event_receipt(arrived: Arrived[Event], *, kept: bool) -> Receipt:
    if kept:
        return Receipt(arrived.device_id, event=arrived.message.id)
    return Receipt(arrived.device_id, refused=(arrived.message.id, ErrorCode.UNKNOWN_DEVICE))


def reply(session: StoreSession, device_id: str, message: Reply, now: datetime) -> Receipt | None:
    """Settle the command; a final word is acknowledged even when it changed nothing."""
    context.mark(command_id=message.command_id)
    settled = settling.settle(session, device_id, message, now=now)
    if not message.status.is_final:
        return None
    if settled is settling.Settled.REFUSED:
        return Receipt(device_id, refused=(message.command_id, ErrorCode.NOT_FOUND))
    return Receipt(device_id, reply=message.command_id)


def requests(session: StoreSession, arrived: Sequence[Arrived[Request]]) -> list[Receipt]:
    """Write down what people ask; their turns begin once it is committed."""
    for each in arrived:
        with _of_somebody("Request"):
            mqtt_inputs.take_request(
                session, each.device_id, each.message, now=each.at, too_fast=each.too_fast
            )
    return []


def decisions(session: StoreSession, arrived: Sequence[Arrived[Decision]]) -> list[Receipt]:
    """Take people's words on approvals."""
    for each in arrived:
        with _of_somebody("Decision"):
            mqtt_inputs.decide(session, each.device_id, each.message, now=each.at, too_fast=each.too_fast)
    return []


@contextmanager
def _of_somebody(kind: str) -> Iterator[None]:
    try:
        yield
    except UnknownUser as error:
        raise MalformedMessage(kind, "nobody of that name may speak here") from error


ROUTES: dict[Kind, Route[Any]] = {
    Kind.PROFILE: Route(Profile, _singly(profile), retained=True),
    Kind.PRESENCE: Route(Presence, presences, retained=True),
    Kind.HEARTBEAT: Route(Heartbeat, heartbeats, together=True),
    Kind.EVENT: Route(Event, happenings, together=True),
    Kind.REPLY: Route(Reply, _singly(reply)),
    Kind.REQUEST: Route(Request, requests),
    Kind.DECISION: Route(Decision, decisions),
}

"""What a transaction has to tell the rest of the program, told only once it is committed.

A service announces into its session; the writer hands the notices over after the
COMMIT and drops those of a unit that was rolled back.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from controller.store.tables import ApprovalRow, Device, ToolExecution
from schemas.assistant import Request
from schemas.devices import Heartbeat
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommandQueued:
    """A command may leave now."""

    command: ToolExecution


@dataclass(frozen=True, slots=True)
class CommandChanged:
    """A command reached another status; `final` ones never change again."""

    command: ToolExecution
    final: bool


@dataclass(frozen=True, slots=True)
class CommandLeft:
    """A command is on the way to its device: told once, when the broker has it or the device answers it."""

    command: ToolExecution


@dataclass(frozen=True, slots=True)
class CancelWanted:
    """A command that has left should be stopped on its device."""

    command: ToolExecution


@dataclass(frozen=True, slots=True)
class ApprovalChanged:
    """A question to a person was opened, or is settled."""

    approval: ApprovalRow


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device came, went, or may now be sent commands."""

    device_id: str
    ready: bool


@dataclass(frozen=True, slots=True)
class PlaceChanged:
    """What is known of a device is not what it was. `regrouped`: who sees it may be others."""

    device: Device
    regrouped: bool = False


@dataclass(frozen=True, slots=True)
class LivesForgotten:
    """No device is believed to be online any more, until it says so."""


@dataclass(frozen=True, slots=True)
class EventsStored:
    """Events that were not here before, each as its table has it."""

    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class HeartbeatsTaken:
    """Live heartbeats of devices that have a place here, of their present life: whose, what, when received."""

    beats: tuple[tuple[str, Heartbeat, datetime], ...]


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """What a device offers, or what is allowed on it, is not what it was."""

    device_id: str


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A device has a place here and signs with this key; None: it does not sign."""

    device_id: str
    public_key: str | None


@dataclass(frozen=True, slots=True)
class PlaceGone:
    """A device has no place here any more."""

    device_id: str


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """What somebody may, or by what they come in, is not what it was."""

    username: str


@dataclass(frozen=True, slots=True)
class Audited:
    """One line of the audit, without arguments."""

    line: JsonObject


@dataclass(frozen=True, slots=True)
class RequestTaken:
    """Somebody's request that came by MQTT waits for its turn of the assistant."""

    username: str
    request: Request


@dataclass(frozen=True, slots=True)
class ResponseMade:
    """There is something to be said to a user."""


Notice = (
    CommandQueued
    | CommandChanged
    | CommandLeft
    | CancelWanted
    | ApprovalChanged
    | DeviceChanged
    | PlaceChanged
    | LivesForgotten
    | EventsStored
    | HeartbeatsTaken
    | RulesChanged
    | KeyChanged
    | PlaceGone
    | RequestTaken
    | ResponseMade
    | RightsChanged
    | Audited
)

_KEY = "notices"


Listener = Callable[[Notice], None]


def tell(told: Iterable[Notice], listeners: Sequence[Listener]) -> None:
    """Tell each listener each notice, in order. One that fails is logged, and keeps nothing from the others."""
    for notice in told:
        for listener in listeners:
            try:
                listener(notice)
            except Exception:  # what it did wrong is unknown; what is committed has to be told all the same
                logger.exception("A notice could not be told: %s", type(notice).__name__)


def announce(session: Session, notice: Notice) -> None:
    """Tell the program about this transaction, if and when it commits."""
    of(session).append(notice)


def of(session: Session) -> list[Notice]:
    """What the session has announced so far."""
    announced: list[Notice] = session.info.setdefault(_KEY, [])
    return announced


def taken(session: Session) -> list[Notice]:
    """What the session announced, handed over and forgotten."""
    announced: list[Notice] = session.info.pop(_KEY, [])
    return announced

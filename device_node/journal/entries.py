"""What the journal hands out: values only."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class State(StrEnum):
    """How far a command came. `cancelled` is a cancel that came before the start."""

    RECEIVED = "received"
    STARTED = "started"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """What waits for an Ack; an Ack names replies by their command and events by their id."""

    REPLY = "reply"
    EVENT = "event"


class Severity(IntEnum):
    """In which order events are given up when there is no room: the lowest first."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one id. `reply` is the final reply as it was sent.

    `command` is the order itself as it first came, kept until its outcome; `runs` counts starts.
    """

    command_id: str
    state: State
    reply_to: str | None = None
    reply: bytes | None = None
    expires_at: float = 0.0
    command: bytes | None = None
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Spooled:
    """One message that waits for its Ack, without its payload."""

    kind: Kind
    id: str
    topic: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one journal may hold."""

    commands: int = 200_000  # ids; each is kept a day longer than its command could run
    command_bytes: int = 128 * 1024 * 1024  # of replies and orders
    spooled: int = 10_000
    spooled_bytes: int = 64 * 1024 * 1024

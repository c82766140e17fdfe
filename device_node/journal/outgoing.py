"""The table of what waits for an Ack: replies by reference, events with their payload.

Replies are never given up. When there is no room, the oldest events of the lowest severity
go, and one event says how many went: its count is written in the transaction that loses them.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from device_node.journal.commands import totals
from device_node.journal.entries import Kind, Limits, Severity, Spooled
from schemas import events
from schemas.ids import new_id
from schemas.wire import format_instant

Key = tuple[Kind, str]

LOST = "events_lost"  # the type of the event that reports a loss
QUIET_BELOW = 0.9  # of the spool; fuller than that, more may be lost any moment

_SELECT = "SELECT kind, id, topic FROM spool"


@dataclass(frozen=True, slots=True)
class Shed:
    """What a new event cost: the ids that went, and the report when it is a new one."""

    gone: list[str]
    report: Spooled | None = None


def waiting(database: sqlite3.Connection) -> list[Spooled]:
    """Everything without an Ack, oldest first."""
    rows = database.execute(f"{_SELECT} ORDER BY position")
    return [Spooled(Kind(kind), one, topic) for kind, one, topic in rows]


def add_reply(database: sqlite3.Connection, command_id: str, topic: str, size: int) -> None:
    """A final reply waits for its Ack from now on."""
    database.execute(
        "INSERT INTO spool (kind, id, topic, bytes) VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO NOTHING",
        (Kind.REPLY, command_id, topic, size),
    )


def add_event(
    database: sqlite3.Connection, event: events.Event, topic: str, *, limits: Limits, life: str
) -> Shed:
    """An event waits for its Ack from now on; older ones make room for it where there is none."""
    _insert(database, event, topic, severity=Severity[event.severity.name])
    gone = _make_room(database, limits)
    return Shed(gone, _report(database, len(gone), topic, at=event.at, life=life) if gone else None)


def payloads(database: sqlite3.Connection, wanted: Iterable[Key]) -> dict[Key, bytes]:
    """What is to be sent; what is gone meanwhile is left out."""
    found: dict[Key, bytes] = {}
    for kind, one in wanted:
        row = database.execute(
            "SELECT coalesce(spool.payload, commands.reply) FROM spool "
            "LEFT JOIN commands ON spool.kind = 'reply' AND commands.id = spool.id "
            "WHERE spool.kind = ? AND spool.id = ?",
            (kind, one),
        ).fetchone()
        if row is not None and row[0] is not None:
            found[kind, one] = row[0]
    return found


def close_report(database: sqlite3.Connection, limits: Limits) -> bool:
    """From now on the report of a loss does not change, and may be sent; False while it still counts."""
    if totals(database)["spooled"] > limits.spooled * QUIET_BELOW:
        return False
    database.execute("DELETE FROM loss")
    return True


def remove(database: sqlite3.Connection, kind: Kind, ids: Iterable[str]) -> None:
    """The controller has it; unknown ids are no error."""
    database.executemany("DELETE FROM spool WHERE kind = ? AND id = ?", [(kind, one) for one in ids])


def _insert(
    database: sqlite3.Connection, event: events.Event, topic: str, *, severity: Severity | None
) -> None:
    payload = event.encode()
    database.execute(
        "INSERT INTO spool (kind, id, topic, payload, severity, bytes) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (kind, id) DO UPDATE SET payload = excluded.payload, bytes = excluded.bytes",
        (Kind.EVENT, event.id, topic, payload, severity, len(payload)),
    )


def _make_room(database: sqlite3.Connection, limits: Limits) -> list[str]:
    gone: list[str] = []
    while (held := totals(database))["spooled"] > limits.spooled or held[
        "spooled_bytes"
    ] > limits.spooled_bytes:
        # a report of a loss has no severity here: it is not lost in its turn
        row = database.execute(
            "DELETE FROM spool WHERE position = (SELECT position FROM spool WHERE severity IS NOT NULL "
            "ORDER BY severity, position LIMIT 1) RETURNING id"
        ).fetchone()
        if row is None:
            break
        gone.append(str(row[0]))
    return gone


def _report(
    database: sqlite3.Connection, lost: int, topic: str, *, at: datetime, life: str
) -> Spooled | None:
    """Count a loss. The report, when it is a new one; an open one says the new count.

    One of an earlier life may have been sent, so it stays as it is.
    """
    row = database.execute("SELECT event_id, events, since FROM loss WHERE life = ?", (life,)).fetchone()
    event_id, before, since = row or (new_id(), 0, format_instant(at))
    database.execute("DELETE FROM loss")
    database.execute("INSERT INTO loss VALUES (?, ?, ?, ?)", (event_id, before + lost, since, life))
    event = events.Event(
        id=event_id,
        type=LOST,
        severity=events.Severity.WARNING,
        data={"count": before + lost, "since": since},
        at=at,
    )
    _insert(database, event, topic, severity=None)
    return None if row is not None else Spooled(Kind.EVENT, event_id, topic)

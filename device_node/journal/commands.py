"""The table of commands: what may become of an id, as statements inside a transaction.

A final reply that was written once stands: nothing here replaces it with another.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from device_node.journal.entries import Entry, Limits, State
from device_node.journal.errors import JournalFull
from schemas.commands import Reply

KEEP = 86_400.0  # seconds after its expiry that an id is remembered
BRIEF = 512  # bytes; a reply of that size is not worth shortening
SHORTEN_AT_ONCE = 200  # replies
NO_LONGER_KEPT = "The device no longer keeps the result of this command."

_SELECT_BY_ID = "SELECT id, state, reply_to, reply, expires_at, command, runs FROM commands WHERE id = ?"
_SELECT_STARTED = (
    "SELECT id, state, reply_to, reply, expires_at, command, runs FROM commands "
    "WHERE state IN ('received', 'started') AND state = 'started' ORDER BY position"  # as the index has it
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A final reply that was given while the journal could not be written."""

    command_id: str
    reply_to: str
    expires_at: float
    reply: bytes


def known(database: sqlite3.Connection, command_id: str) -> Entry | None:
    """What is known of one id."""
    row = database.execute(_SELECT_BY_ID, (command_id,)).fetchone()
    return None if row is None else _entry(row)


def started(database: sqlite3.Connection) -> list[Entry]:
    """What had started and has no final reply, oldest first."""
    return [_entry(row) for row in database.execute(_SELECT_STARTED)]


def receive(
    database: sqlite3.Connection, fresh: Entry, *, limits: Limits, keep_s: float, now: float
) -> Entry | None:
    """Write a new id down, or say what is known of it.

    Raises:
        JournalFull: there is no room for another id, or for the reply that it would bring.
    """
    if (found := known(database, fresh.command_id)) is not None:
        return found
    _make_room(database, limits, keep_s=keep_s, now=now)
    database.execute(
        "INSERT INTO commands (id, state, reply_to, expires_at, command) VALUES (?, ?, ?, ?, ?)",
        (fresh.command_id, State.RECEIVED, fresh.reply_to, fresh.expires_at, fresh.command),
    )
    return None


def start(database: sqlite3.Connection, command_id: str, *, again: bool) -> bool:
    """It starts now; False when it must not: cancelled, finished, or started before.

    With `again` an earlier start is no hindrance, and is counted.
    """
    states = (State.RECEIVED, State.STARTED) if again else (State.RECEIVED, State.RECEIVED)
    changed = database.execute(
        "UPDATE commands SET state = ?, runs = runs + 1 WHERE id = ? AND state IN (?, ?)",
        (State.STARTED, command_id, *states),
    )
    return changed.rowcount == 1


def finish(database: sqlite3.Connection, command_id: str, *, reply_to: str, reply: bytes) -> Entry | None:
    """Write the one final reply. None when it is this one, else the entry with the earlier one."""
    changed = database.execute(
        "UPDATE commands SET state = ?, reply_to = ?, reply = ?, command = NULL WHERE id = ? AND state <> ?",
        (State.FINISHED, reply_to, reply, command_id, State.FINISHED),
    )
    if changed.rowcount == 1:
        return None
    found = known(database, command_id)
    if found is None:
        raise LookupError(f"command {command_id} was never received")
    return found


def cancel(database: sqlite3.Connection, command_id: str, *, expires_at: float) -> Entry | None:
    """Keep it from starting, whether it has arrived or not. The entry is what was known before."""
    found = known(database, command_id)
    if found is None:
        database.execute(
            "INSERT INTO commands (id, state, expires_at) VALUES (?, ?, ?)",
            (command_id, State.CANCELLED, expires_at),
        )
    elif found.state is State.RECEIVED:
        database.execute(
            "UPDATE commands SET state = ?, command = NULL WHERE id = ?", (State.CANCELLED, command_id)
        )
    elif found.state is State.STARTED:
        database.execute("UPDATE commands SET command = NULL WHERE id = ?", (command_id,))  # nor again
    return found


def acknowledge(database: sqlite3.Connection, command_ids: Iterable[str]) -> None:
    """Their replies are stored for good; an id without a final reply cannot be acknowledged."""
    database.executemany(
        "UPDATE commands SET acknowledged = 1 WHERE id = ? AND state = ?",
        [(one, State.FINISHED) for one in command_ids],
    )


def settle(database: sqlite3.Connection, answers: Iterable[Answer], *, limits: Limits, owed: int = 0) -> None:
    """Write down what was answered meanwhile; what the file said of these ids was never told.

    `owed`: how many of them will wait for their Ack.

    Raises:
        JournalFull: there is no room for more ids, or for what waits.
    """
    held = totals(database)
    if held["commands"] >= limits.commands:
        raise JournalFull("The device's journal is full of commands that have not expired.")
    if owed and held["replies"] + owed > limits.spooled:
        raise JournalFull("The device has too many results that the controller did not acknowledge.")
    for answer in answers:
        if _is_told(known(database, answer.command_id), answer):
            continue
        database.execute("DELETE FROM spool WHERE kind = 'reply' AND id = ?", (answer.command_id,))
        database.execute(
            "INSERT INTO commands (id, state, reply_to, expires_at, reply) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET state = excluded.state, reply_to = excluded.reply_to, "
            "reply = excluded.reply, command = NULL",
            (answer.command_id, State.FINISHED, answer.reply_to, answer.expires_at, answer.reply),
        )


def forget(database: sqlite3.Connection, *, before: float) -> int:
    """Drop the ids that had expired by `before`, but for what still runs or waits for its Ack."""
    return database.execute(
        "DELETE FROM commands WHERE expires_at < ? AND state <> ? "
        "AND NOT EXISTS (SELECT 1 FROM spool WHERE spool.kind = 'reply' AND spool.id = commands.id)",
        (before, State.STARTED),
    ).rowcount


def totals(database: sqlite3.Connection) -> dict[str, int]:
    """How much is held, kept by triggers in the same transactions."""
    return dict(database.execute("SELECT name, value FROM totals"))


def _make_room(database: sqlite3.Connection, limits: Limits, *, keep_s: float, now: float) -> None:
    held = totals(database)
    # each command under way will bring a reply, and replies are never given up
    if held["replies"] + held["open"] >= limits.spooled or held["reply_bytes"] >= limits.spooled_bytes:
        raise JournalFull("The device has too many results that the controller did not acknowledge.")
    if held["commands"] < limits.commands and held["command_bytes"] < limits.command_bytes:
        return
    forget(database, before=now - keep_s)
    while (held := totals(database))["command_bytes"] >= limits.command_bytes:
        if not _shorten(database):
            break
    if held["commands"] >= limits.commands or held["command_bytes"] >= limits.command_bytes:
        raise JournalFull("The device's journal is full of commands that have not expired.")


def _shorten(database: sqlite3.Connection) -> int:
    """Drop the results of the oldest replies that were acknowledged; their statuses stay."""
    rows = database.execute(
        "SELECT position, reply FROM commands WHERE acknowledged = 1 AND length(reply) > ? "
        "ORDER BY position LIMIT ?",
        (BRIEF, SHORTEN_AT_ONCE),
    ).fetchall()
    for position, reply in rows:
        database.execute("UPDATE commands SET reply = ? WHERE position = ?", (_brief(reply), position))
    return len(rows)


def _is_told(found: Entry | None, answer: Answer) -> bool:
    """Whether the final reply says the same already, in whatever words."""
    if found is None or found.reply is None:
        return False
    try:
        status = Reply.restore(found.reply.decode()).status
        return status is Reply.restore(answer.reply.decode()).status
    except (ValidationError, UnicodeDecodeError):
        return False


def _brief(payload: bytes) -> bytes:
    try:
        reply = Reply.restore(payload.decode())
    except (ValidationError, UnicodeDecodeError):  # an older release wrote it; it was acknowledged
        return payload[:0]
    error = None
    if reply.error is not None:
        error = reply.error.model_copy(update={"message": reply.error.message[:200], "detail": None})
    brief = reply.model_copy(update={"result": None, "error": error, "message": NO_LONGER_KEPT})
    return brief.encode()


def _entry(row: tuple[str, str, str | None, bytes | None, float, bytes | None, int]) -> Entry:
    command_id, state, reply_to, reply, expires_at, command, runs = row
    return Entry(command_id, State(state), reply_to, reply, expires_at, command, runs)

"""Each command id once: what was received, started and finished, in SQLite.

An id is written before anything is done for it, so whatever arrives twice runs once. A
command that had started when the program died is `interrupted`: nobody knows how far it
came, so it never runs again.

All methods block; they may be called from any thread.
"""

import sqlite3
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

KEEP = 7 * 86_400  # seconds after its expiry that an id is remembered

_TABLE = """
CREATE TABLE IF NOT EXISTS commands (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    reply_to TEXT,
    expires_at REAL NOT NULL,
    reply BLOB,
    acknowledged INTEGER NOT NULL DEFAULT 0
) STRICT
"""

_SELECT_BY_ID = "SELECT id, state, reply_to, reply FROM commands WHERE id = ?"
_SELECT_BY_STATE = "SELECT id, state, reply_to, reply FROM commands WHERE state = ? ORDER BY position"
_SELECT_UNACKNOWLEDGED = (
    "SELECT id, state, reply_to, reply FROM commands "
    "WHERE state = ? AND acknowledged = 0 AND reply_to IS NOT NULL ORDER BY position"
)


class State(StrEnum):
    """How far a command came. `cancelled` is a cancel that overtook its command."""

    RECEIVED = "received"
    STARTED = "started"
    FINISHED = "finished"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one id. `reply` is the final reply as it was sent."""

    command_id: str
    state: State
    reply_to: str | None = None
    reply: bytes | None = None


class Journal:
    """The ids of one node. Close it at the end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        path.chmod(0o600)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_TABLE)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def interrupted(self) -> list[Entry]:
        """Commands that an earlier life of the program had started; to be called at the start.

        What was only received is forgotten: it never began, and runs when it comes again.
        """
        with self._lock:
            self._database.execute("DELETE FROM commands WHERE state = ?", (State.RECEIVED,))
            return self._entries(_SELECT_BY_STATE, State.STARTED)

    def unacknowledged(self) -> list[Entry]:
        """Final replies that no Ack has named."""
        with self._lock:
            return self._entries(_SELECT_UNACKNOWLEDGED, State.FINISHED)

    def receive(self, command_id: str, *, reply_to: str, expires_at: float) -> Entry | None:
        """Write a new id down and answer None, or say what is known of it already."""
        with self._lock:
            added = self._database.execute(
                "INSERT INTO commands (id, state, reply_to, expires_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (id) DO NOTHING",
                (command_id, State.RECEIVED, reply_to, expires_at),
            )
            return None if added.rowcount else self._entry(command_id)

    def start(self, command_id: str, *, changes: bool) -> None:
        """It starts now. With `changes` this is on the disk before the first effect is."""
        with self._lock:
            if changes:
                self._database.execute("PRAGMA synchronous = FULL")
            try:
                self._database.execute(
                    "UPDATE commands SET state = ? WHERE id = ?", (State.STARTED, command_id)
                )
            finally:
                if changes:
                    self._database.execute("PRAGMA synchronous = NORMAL")

    def finish(self, command_id: str, *, reply_to: str, reply: bytes) -> None:
        """Its one final reply."""
        with self._lock:
            self._database.execute(
                "UPDATE commands SET state = ?, reply_to = ?, reply = ? WHERE id = ?",
                (State.FINISHED, reply_to, reply, command_id),
            )

    def cancel(self, command_id: str, *, expires_at: float) -> Entry | None:
        """Remember a cancel that overtook its command, or say what is known of the command."""
        with self._lock:
            added = self._database.execute(
                "INSERT INTO commands (id, state, expires_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (command_id, State.CANCELLED, expires_at),
            )
            return None if added.rowcount else self._entry(command_id)

    def acknowledge(self, command_ids: list[str]) -> None:
        """The controller has stored these replies for good."""
        with self._lock:
            self._database.executemany(
                "UPDATE commands SET acknowledged = 1 WHERE id = ?", [(one,) for one in command_ids]
            )

    def forget(self, *, now: float) -> int:
        """Drop ids long past their expiry: they cannot run any more whatever arrives."""
        with self._lock:
            return self._database.execute(
                "DELETE FROM commands WHERE expires_at < ? AND state IN (?, ?)",
                (now - KEEP, State.FINISHED, State.CANCELLED),
            ).rowcount

    def _entry(self, command_id: str) -> Entry | None:
        found = self._entries(_SELECT_BY_ID, command_id)
        return found[0] if found else None

    def _entries(self, statement: str, value: str) -> list[Entry]:
        rows = self._database.execute(statement, (value,))
        return [
            Entry(command_id, State(state), reply_to, reply) for command_id, state, reply_to, reply in rows
        ]

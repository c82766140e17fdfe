"""The chain of the audit: each row carries the hash of the one before it, one chain a controller.

Where a chain ends is read once a transaction, when nobody else can add to it, and again
after a rollback: what was undone was never in it. Nothing of that outlives the transaction.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from sqlalchemy import Connection, event, text
from sqlalchemy.orm import SessionTransaction
from sqlmodel import Session

from controller.store import engine, house, server

GENESIS = "0" * 64  # what stands before the first row of every chain
MOST_DRAWN = 64  # numbers that a transaction on PostgreSQL takes at a time
EXACT = 2**53  # whole numbers from here on JSON does not carry exactly

_KEY = "end of the chain"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('audit of ' || :chain, 0))")
_MORE = text("SELECT nextval(pg_get_serial_sequence('audit_log', 'number')) FROM generate_series(1, :count)")
_BEGIN = {
    engine.SQLITE: text(
        "SELECT (SELECT coalesce(max(number), 0) + 1 FROM audit_log), last.position, last.hash "
        "FROM (SELECT 1 AS one) AS once LEFT JOIN "
        "(SELECT position, hash FROM audit_log WHERE instance = :chain AND position IS NOT NULL "
        "ORDER BY position DESC LIMIT 1) AS last ON true"
    ),
    engine.POSTGRESQL: text(
        "SELECT nextval(pg_get_serial_sequence('audit_log', 'number')), last.position, last.hash "
        "FROM (SELECT 1 AS one) AS once LEFT JOIN "
        "(SELECT position, hash FROM audit_log WHERE instance = :chain AND position IS NOT NULL "
        "ORDER BY position DESC LIMIT 1) AS last ON true"
    ),
}

# the columns that a hash covers, in RFC 8785's order, around `detail`: all but the hash itself
_BEFORE = ("action", "actor", "approval_id", "at", "command_id")
_BEHIND = ("device_id", "instance", "number", "position", "previous", "tool", "trace_id", "via")
CONTENT = (*_BEFORE, "detail", *_BEHIND)

_NUL = b"\\u0000"  # as a row's content spells it, and perhaps something that only looks like it
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


@dataclass(slots=True)
class _End:
    """Where a chain ends in this transaction, and the numbers that its next rows get."""

    chain: str
    transaction: SessionTransaction | None
    position: int
    hash: str
    numbers: list[int]  # the next one last
    number: int = 0  # of the last row added
    rows: int = 0  # added in this transaction


def link(session: Session, entry: dict[str, Any]) -> None:
    """Give a row that is added next its number and its place in this controller's chain.

    What JSON does not carry exactly in `detail` becomes a text, and U+0000, which PostgreSQL does not have,
    its picture: a row is hashed as it is kept, and kept alike on every database.
    """
    chain = house.of(session).instance
    end = _end(session, chain)
    if not end.numbers:
        end.numbers = _more_numbers(session.connection(), end)
    entry["number"] = end.number = end.numbers.pop()
    entry["instance"] = chain
    entry["position"] = end.position + 1
    entry["previous"] = end.hash
    try:
        content = canonical(entry)
    except rfc8785.CanonicalizationError:
        entry["detail"] = _exact(entry["detail"])
        content = canonical(entry)
    if _NUL in content:
        for name in CONTENT:
            entry[name] = server.without_nul(entry[name])
        content = canonical(entry)
    entry["hash"] = _hash(content)
    end.position, end.hash, end.rows = entry["position"], entry["hash"], end.rows + 1


def digest(row: Mapping[str, Any]) -> str:
    """SHA-256 of a row's content in the form of RFC 8785.

    Raises:
        rfc8785.CanonicalizationError: `detail` holds what JSON does not carry exactly.
    """
    return _hash(canonical(row))


def canonical(row: Mapping[str, Any]) -> bytes:
    """What `digest` hashes. `at` is a time, or a text as `moment` writes it.

    Of texts and whole numbers Python's own encoder writes the same, in a fifth of the time;
    only `detail` can hold more.
    """
    at = row["at"]
    before = {name: row[name] for name in _BEFORE}
    before["at"] = at if isinstance(at, str) else moment(at)
    detail = b"null" if row["detail"] is None else rfc8785.dumps(row["detail"])
    behind = _encode({name: row[name] for name in _BEHIND})
    return b"".join((_encode(before)[:-1].encode(), b',"detail":', detail, b",", behind[1:].encode()))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def moment(at: datetime) -> str:
    """A time as it is hashed: to the microsecond, as it is kept."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _end(session: Session, chain: str) -> _End:
    end = session.info.get(_KEY)
    if isinstance(end, _End) and end.transaction is session.get_transaction() and end.chain == chain:
        return end
    connection = session.connection()
    kind = connection.dialect.name
    if kind == engine.POSTGRESQL:  # where SQLite has its one writer
        connection.execute(_LOCK, {"chain": chain})
    number, position, before = connection.execute(_BEGIN[kind], {"chain": chain}).one()
    # a last row without a hash was tampered with: the next one stands on nothing, and that is found
    end = _End(chain, session.get_transaction(), position or 0, before or GENESIS, [number])
    session.info[_KEY] = end
    return end


def _more_numbers(connection: Connection, end: _End) -> list[int]:
    if connection.dialect.name == engine.SQLITE:  # nobody else adds a row before this transaction ends
        return [end.number + 1]
    # the more the more are used: what a transaction leaves over is lost
    drawn = connection.execute(_MORE, {"count": min(end.rows, MOST_DRAWN)}).scalars()
    return sorted(drawn, reverse=True)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _undone: SessionTransaction) -> None:
    session.info.pop(_KEY, None)


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {_exact(str(key)): _exact(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(each) for each in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()  # half a character has no bytes
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if (is_whole and abs(value) >= EXACT) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value

"""API keys: what a program of somebody's comes in with, for less than all that its user may.

A key is random, so the SHA-256 of its secret is all that is kept. It opens what its scopes say on
the devices that its patterns name, and never more than its user may at that moment.
"""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, func, or_, select, update

from controller.errors import Conflict, InvalidArguments, UnknownKey
from controller.services import audit, pages
from controller.services.actors import Actor, KeyBounds
from controller.services.pages import Order, Page
from controller.store import notices
from controller.store.tables import ApiKey
from schemas.wire import JsonObject

PREFIX = "orion"  # of every key: so that it is known for one where it should not be
NOUNS = (
    "approvals",
    "assistant",
    "audit",
    "commands",
    "devices",
    "events",
    "keys",
    "memory",
    "metrics",
    "schedules",
    "search",
    "sessions",
    "signing-keys",
    "stats",
    "stream",
    "system",
    "tools",
    "users",
)
SCOPES = frozenset(f"{noun}:{verb}" for noun in NOUNS for verb in ("read", "write"))
MOST = 50  # keys of one user that open something
LONGEST = timedelta(days=3 * 365)
KEPT = timedelta(days=90)  # once it opens nothing, so that whoever wonders finds it
USED_AGAIN = timedelta(minutes=1)  # by which the time of its last use may be behind

_ORDER = Order.of("keys", "api_keys", "created_at", "id")
_KEY = re.compile(rf"{PREFIX}_([0-9a-z]{{12}})_([A-Za-z0-9_-]{{43}})")
_PATTERN = re.compile(r"[a-z0-9*?][a-z0-9_*?-]{0,62}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A key as it was shown: its id, and the hash of its secret."""

    key_id: str
    hash: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made."""

    name: str
    scopes: Collection[str]
    devices: Collection[str] = ()
    lasts: timedelta | None = None  # None: until it is revoked


def shown(token: str) -> Shown | None:
    """What a token says if it has the form of a key."""
    match = _KEY.fullmatch(token)
    return None if match is None else Shown(match[1], _hash(match[2]))


def create(
    session: Session, username: str, wanted: NewKey, *, actor: Actor, now: datetime
) -> tuple[ApiKey, str]:
    """Make a key of this user; the key itself is told here and never again.

    Raises:
        InvalidArguments: a scope, a pattern or its time is none.
        Conflict: they have as many as one may have.
    """
    if not wanted.scopes or (odd := sorted(set(wanted.scopes) - SCOPES)):
        said = "which one is missing" if not wanted.scopes else f"there is none {odd[0]!r}"
        raise InvalidArguments(f"scopes: {said}. A scope is one of {', '.join(NOUNS)} with :read or :write.")
    for pattern in wanted.devices:
        if not _PATTERN.fullmatch(pattern):
            raise InvalidArguments(f"devices: {pattern!r} is no device id, nor one with * or ? in it.")
    if wanted.lasts is not None and not timedelta(0) < wanted.lasts <= LONGEST:
        raise InvalidArguments(f"A key lasts at most {LONGEST.days} days, or has no end.")
    theirs = select(func.count()).where(col(ApiKey.username) == username, *_opening(now))
    if session.exec(theirs).one() >= MOST:
        raise Conflict(f"{username} has {MOST} keys: revoke one that is not used: orion keys list")
    key_id = "".join(secrets.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(12))
    secret = secrets.token_urlsafe(32)
    row = ApiKey(
        id=key_id,
        username=username,
        name=wanted.name,
        hash=_hash(secret),
        scopes=sorted(set(wanted.scopes)),
        devices=sorted(set(wanted.devices)),
        created_at=now,
        expires_at=None if wanted.lasts is None else now + wanted.lasts,
    )
    session.add(row)
    _record(session, "key.created", row, actor=actor, now=now)
    return row, f"{PREFIX}_{key_id}_{secret}"


def listed(
    session: Session, username: str | None = None, *, limit: int | None = None, cursor: str | None = None
) -> Page[ApiKey]:
    """Keys, the newest first; of one user, or of all.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(ApiKey)
    if username is not None:
        query = query.where(ApiKey.username == username)
    return pages.page(session, query, _ORDER, limit=limit, cursor=cursor)


def get(session: Session, key_id: str) -> ApiKey:
    """One key.

    Raises:
        UnknownKey: there is none of that id.
    """
    row = session.get(ApiKey, key_id)
    if row is None:
        raise UnknownKey(key_id)
    return row


def revoke(session: Session, key_id: str, *, actor: Actor, now: datetime) -> ApiKey:
    """Have a key open nothing any more, nor what was ordered with it leave. One that is revoked stays so.

    Raises:
        UnknownKey: there is none of that id.
    """
    row = get(session, key_id)
    if row.revoked_at is None:
        row.revoked_at = now
        _record(session, "key.revoked", row, actor=actor, now=now)
    return row


def opens(row: ApiKey, *, now: datetime) -> bool:
    """Whether a key opens anything now."""
    return row.revoked_at is None and (row.expires_at is None or now < row.expires_at)


def forget_old(session: Session, *, now: datetime) -> None:
    """Let go of the keys that have opened nothing for long; the audit has them still."""
    ended = (col(ApiKey.revoked_at) <= now - KEPT, col(ApiKey.expires_at) <= now - KEPT)
    session.execute(delete(ApiKey).where(or_(*ended)))


def _opening(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Of keys that open something now."""
    lasting = or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > now)
    return col(ApiKey.revoked_at).is_(None), lasting


def bounds(row: ApiKey) -> KeyBounds:
    """What a key leaves of its user's rights."""
    return KeyBounds(row.id, frozenset(row.scopes), tuple(row.devices))


def note_use(session: Session, key_id: str, *, now: datetime) -> None:
    """Keep when it was used last; for those who wonder whether anybody needs it still."""
    session.execute(update(ApiKey).where(col(ApiKey.id) == key_id).values(last_used_at=now))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(session: Session, action: str, row: ApiKey, *, actor: Actor, now: datetime) -> None:
    detail: JsonObject = {"key_id": row.id, "name": row.name, "username": row.username}
    detail |= {"scopes": list(row.scopes), "devices": list(row.devices)}
    audit.record(session, action, now=now, actor=actor, detail=detail)
    notices.announce(session, notices.RightsChanged(row.username))

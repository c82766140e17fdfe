"""Remembering and forgetting, under one rule: untrusted words replace and remove only untrusted ones."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, select

from controller.errors import Conflict, InvalidArguments, Refused
from controller.services import audit
from controller.services.actors import FORGEABLE, Actor
from controller.services.memories.finding import count, find, get, is_over, live, over, visible, within
from controller.services.memories.places import Place, Scope, Source, check_change
from controller.store import upserts
from controller.store.tables import METADATA, MemoryRow
from schemas.ids import new_id
from schemas.wire import JsonObject

MAX_KEY = 200  # characters
MAX_VALUE = 8_000  # characters of its JSON
MAX_TAGS = 16
MAX_WORD = 64  # characters of a tag or a category
MAX_ROWS = 1_000  # of one owner in one scope
SWEPT_AT_ONCE = 500  # rows

_KEY = re.compile(r"[^\W_][^\x00-\x1f\x7f]*")
_ID = ("scope", "owner", "key")


@dataclass(frozen=True, slots=True)
class NewMemory:
    """Something to be remembered."""

    key: str
    value: Any
    place: Place
    source: Source = Source.PERSON
    category: str | None = None
    tags: tuple[str, ...] = ()
    expires_at: datetime | None = None


def remember(session: Session, new: NewMemory, *, actor: Actor, now: datetime) -> MemoryRow:
    """Keep it, in the place of what that key held there.

    Raises:
        InvalidArguments: the key, value, tags or expiry cannot be kept.
        Refused: it is not this user's to keep there, or untrusted words would replace trusted ones.
        Conflict: that owner has as much as one may have.
        UnknownDevice: there is no such device.
        UnknownSession: there is no such conversation.
    """
    _check(new, now=now)
    check_change(session, new.place, actor=actor)
    source = _source_of(session, new, actor=actor, now=now)
    old = find(session, new.key, new.place)
    if old is not None and is_over(old, now=now):
        session.delete(old)
        session.flush()
        old = None
    if old is not None and source is Source.DEVICE and old.source != Source.DEVICE:
        raise Refused(
            f"What {new.key!r} holds was remembered by a person; untrusted words do not replace it. "
            "Say it yourself, or use another key."
        )
    if old is None and count(session, new.place, now=now) >= MAX_ROWS:
        raise Conflict(f"At most {MAX_ROWS} things are remembered for one owner; forget some first.")
    row: dict[str, Any] = {
        "id": old.id if old else new_id(),
        "key": new.key,
        "value": new.value,
        "scope": new.place.scope.value,
        "owner": new.place.owner,
        "device_id": new.place.owner if new.place.scope is Scope.DEVICE else None,
        "user": actor.user,
        "category": new.category,
        "tags": list(dict.fromkeys(new.tags)),
        "source": source.value,
        "expires_at": new.expires_at,
        "created_at": old.created_at if old else now,
        "updated_at": now,
    }
    table = METADATA.tables["context_memory"]
    upserts.put(session.connection(), table, row, key=_ID, keep=("id", "created_at"))
    if old is not None:
        session.expire(old)
    kept = get(session, new.key, new.place, actor=actor, now=now)
    _record(session, "memory.changed" if old else "memory.set", kept, actor=actor, now=now)
    return kept


def forget(
    session: Session, key: str, place: Place, *, actor: Actor, now: datetime, trusted: bool = True
) -> MemoryRow:
    """Remove it. `trusted`: a person asked for it, rather than text that was read.

    Raises:
        UnknownMemory: that key holds nothing there.
        Refused: it is not this user's to remove, or untrusted words would remove trusted ones.
    """
    row = get(session, key, place, actor=actor, now=now)
    check_change(session, place, actor=actor)
    if row.source != Source.DEVICE and (not trusted or actor.via in FORGEABLE):
        raise Refused(
            f"What {key!r} holds was remembered by a person; untrusted words do not remove it. "
            "Remove it yourself: orion memory forget"
        )
    session.delete(row)
    session.flush()
    _record(session, "memory.forgotten", row, actor=actor, now=now)
    return row


def forget_session(session: Session, session_id: str) -> None:
    """A conversation is over, and with it what was remembered for it alone."""
    session.connection().execute(delete(MemoryRow).where(within(Place(Scope.SESSION, session_id))))


def expired(session: Session, now: datetime) -> bool:
    """Whether something is to be removed."""
    return session.exec(select(MemoryRow.id).where(over(now)).limit(1)).first() is not None


def drop_expired(session: Session, now: datetime, *, limit: int = SWEPT_AT_ONCE) -> int:
    """Remove what has expired, at most `limit` rows; how many there were."""
    ids = session.exec(select(MemoryRow.id).where(over(now)).limit(limit)).all()
    if ids:
        session.connection().execute(delete(MemoryRow).where(col(MemoryRow.id).in_(ids)))
        audit.record(session, "memory.expired", now=now, detail={"rows": len(ids)})
    return len(ids)


def _source_of(session: Session, new: NewMemory, *, actor: Actor, now: datetime) -> Source:
    """Who said it: forgeable words, and those that a device said before, are nobody's own."""
    if actor.via in FORGEABLE:
        return Source.DEVICE
    if new.source is not Source.ASSISTANT:
        return new.source
    rows = session.exec(
        select(MemoryRow.value).where(
            MemoryRow.source == Source.DEVICE.value, live(now), visible(session, actor)
        )
    )
    said_before = any(value == new.value for value in rows)
    return Source.DEVICE if said_before else Source.ASSISTANT


def _check(new: NewMemory, *, now: datetime) -> None:
    if not _KEY.fullmatch(new.key) or len(new.key) > MAX_KEY or new.key != new.key.strip():
        raise InvalidArguments(
            f"A key begins with a letter or digit and has at most {MAX_KEY} characters that can be seen."
        )
    try:
        spelled = json.dumps(new.value, ensure_ascii=False, allow_nan=False)
        (spelled + new.key + "".join(new.tags) + (new.category or "")).encode()
    except ValueError as error:
        raise InvalidArguments("The value holds what is not JSON.") from error
    if new.value is None or "\\u0000" in spelled:
        raise InvalidArguments("The value is nothing, or holds a character that cannot be kept.")
    if len(spelled) > MAX_VALUE:
        raise InvalidArguments(f"A value has at most {MAX_VALUE} characters as JSON, not {len(spelled)}.")
    words = (*new.tags, *([] if new.category is None else [new.category]))
    if len(new.tags) > MAX_TAGS or any(not 0 < len(word) <= MAX_WORD or "\x00" in word for word in words):
        raise InvalidArguments(
            f"At most {MAX_TAGS} tags, each and the category of 1 to {MAX_WORD} characters."
        )
    if new.expires_at is not None and new.expires_at <= now:
        raise InvalidArguments("It would have expired already.")


def _record(session: Session, action: str, row: MemoryRow, *, actor: Actor, now: datetime) -> None:
    detail: JsonObject = {"key": row.key, "scope": row.scope, "owner": row.owner, "source": row.source}
    audit.record(session, action, now=now, actor=actor, device_id=row.device_id, detail=detail)

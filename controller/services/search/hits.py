"""What was found, as it is told: whose words they are, and the part of the text that holds them."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from controller.services.actors import FORGEABLE
from controller.services.memories import Source, finding
from controller.store import fulltext
from controller.store.fulltext import Place
from controller.store.tables import AuditEntry, Conversation, EventRow, MemoryRow, Message
from schemas.wire import JsonObject

MAX_EXCERPT = 240  # characters
BEFORE = 60  # of them before the first word that was found
CUT = "…"


class Kind(StrEnum):
    """What can be found."""

    AUDIT = "audit"
    EVENT = "event"
    MESSAGE = "message"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Hit:
    """One row that was found. `reference`: what names it. `untrusted`: its text is data, never an order."""

    number: int
    kind: Kind
    at: datetime
    by: str
    device_id: str | None
    title: str
    text: str
    found: tuple[str, ...]  # as spelled in title and text
    untrusted: bool
    reference: JsonObject


@dataclass(frozen=True, slots=True)
class _Told:
    at: datetime
    by: str
    device_id: str | None
    title: str
    text: str
    untrusted: bool
    reference: JsonObject


def told(
    session: Session, places: Sequence[Place], groups: Sequence[Sequence[str]], *, now: datetime
) -> list[Hit]:
    """What stands at these places, in their order; what is not there any more, or has expired, is left out."""
    keys: dict[str, list[str]] = {}
    for place in places:
        keys.setdefault(place.kind, []).append(place.key)
    rows: dict[tuple[str, str, str | None], _Told] = {}
    for kind, some in keys.items():
        rows |= _READERS[Kind(kind)](session, some, now)
    words = {word for group in groups for word in group}
    hits = []
    for place in places:
        device_id = place.device_id if place.kind == Kind.EVENT else None
        if (row := rows.get((place.kind, place.key, device_id))) is not None:
            hits.append(_hit(place, row, words))
    return hits


def _hit(place: Place, row: _Told, words: Collection[str]) -> Hit:
    text = _excerpt(row.text, words)
    found = dict.fromkeys([*_spelled(row.title, words), *_spelled(text, words)])
    return Hit(
        number=place.number,
        kind=Kind(place.kind),
        at=row.at,
        by=row.by,
        device_id=row.device_id,
        title=row.title,
        text=text,
        found=tuple(found),
        untrusted=row.untrusted,
        reference=row.reference,
    )


def _spelled(text: str, words: Collection[str]) -> Iterable[str]:
    return (each for each in fulltext.SPELLED.findall(text) if fulltext.fold(each) in words)


def _excerpt(text: str, words: Collection[str]) -> str:
    if len(text) <= MAX_EXCERPT:
        return text
    first = next((at.start() for at in fulltext.SPELLED.finditer(text) if fulltext.fold(at[0]) in words), 0)
    start = max(0, min(first - BEFORE, len(text) - MAX_EXCERPT))
    while 0 < start < first and not text[start - 1].isspace():  # a whole word comes first
        start += 1
    part = text[start : start + MAX_EXCERPT]
    return (CUT if start else "") + part + (CUT if start + MAX_EXCERPT < len(text) else "")


_Rows = dict[tuple[str, str, str | None], _Told]


def _audit(session: Session, keys: Sequence[str], _now: datetime) -> _Rows:
    query = select(AuditEntry).where(col(AuditEntry.number).in_([int(key) for key in keys]))
    return {
        (Kind.AUDIT, str(row.number), None): _Told(
            at=row.at,
            by=row.actor,
            device_id=row.device_id,
            title=row.action,
            text=" ".join([*([row.tool] if row.tool else []), _plain(row.detail)]).strip(),
            untrusted=False,
            reference={"number": row.number, "command_id": row.command_id},
        )
        for row in session.exec(query)
    }


def _events(session: Session, keys: Sequence[str], _now: datetime) -> _Rows:
    return {
        (Kind.EVENT, row.id, row.device_id): _Told(
            at=row.received_at,
            by=row.device_id,
            device_id=row.device_id,
            title=f"{row.event_type}, {row.severity}",
            text=_plain(row.data),
            untrusted=True,
            reference={"event_id": row.id, "device_id": row.device_id},
        )
        for row in session.exec(select(EventRow).where(col(EventRow.id).in_(keys)))
    }


def _messages(session: Session, keys: Sequence[str], _now: datetime) -> _Rows:
    query = (
        select(Message, Conversation)
        .join(Conversation, col(Conversation.id) == col(Message.session_id))
        .where(col(Message.number).in_([int(key) for key in keys]))
    )
    return {
        (Kind.MESSAGE, str(row.number), None): _Told(
            at=row.created_at,
            by=talk.user if row.role == "user" else row.role,
            device_id=talk.device_id,
            title=f"said by {talk.user}" if row.role == "user" else f"{row.role}, to {talk.user}",
            text=row.content,
            untrusted=row.role == "tool" or (talk.context or {}).get("via") in FORGEABLE,
            reference={"message_id": row.id, "session_id": row.session_id},
        )
        for row, talk in session.exec(query)
    }


def _memories(session: Session, keys: Sequence[str], now: datetime) -> _Rows:
    query = select(MemoryRow).where(col(MemoryRow.id).in_(keys), finding.live(now))
    return {
        (Kind.MEMORY, row.id, None): _Told(
            at=row.updated_at,
            by=row.user,
            device_id=row.device_id,
            title=row.key,
            text=" ".join([_plain(row.value), *row.tags, *([row.category] if row.category else [])]),
            untrusted=row.source == Source.DEVICE,
            reference={"key": row.key, "scope": row.scope, "owner": row.owner or None},
        )
        for row in session.exec(query)
    }


_READERS: dict[Kind, Callable[[Session, Sequence[str], datetime], _Rows]] = {
    Kind.AUDIT: _audit,
    Kind.EVENT: _events,
    Kind.MESSAGE: _messages,
    Kind.MEMORY: _memories,
}


def _plain(value: Any) -> str:
    """A JSON value as `name=value` words."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return " ".join(f"{name}={_inside(each)}" for name, each in value.items())
    return _inside(value)


def _inside(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

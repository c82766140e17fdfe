"""Looking up what is remembered. What has expired is not there, whether it was removed yet or not."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, cast, func, or_
from sqlmodel import Session, col, select

from controller.errors import UnknownMemory
from controller.services import pages
from controller.services.actors import Actor, Role
from controller.services.memories.places import Place, Scope, may_see
from controller.services.pages import Order, Page
from controller.services.sight import Sight
from controller.store.tables import Conversation, MemoryRow

MAX_TERMS = 8  # words of a search that are looked for
MAX_PLACES = 3  # that are named where a key was looked for in vain

_LATEST = Order.of("memory", "context_memory", "updated_at", "id")


def get(session: Session, key: str, place: Place, *, actor: Actor, now: datetime) -> MemoryRow:
    """What this key holds there.

    Raises:
        UnknownMemory: nothing, or nothing any more, or nothing that this user may see; it names
            other places of theirs where the key holds something.
    """
    row = find(session, key, place)
    if row is None or is_over(row, now=now) or not may_see(session, place, actor=actor):
        raise UnknownMemory(key, _elsewhere(session, key, actor=actor, now=now))
    return row


def listed(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    place: Place | None = None,
    category: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[MemoryRow]:
    """What this user may see, the latest first: global, their own and every device's, or one place.

    What is changed while somebody turns pages is the latest again, and no longer where it was.

    Raises:
        InvalidCursor: it is none of this list.
    """
    if place is not None and not may_see(session, place, actor=actor):
        return Page()
    if category is not None:
        where = and_(col(MemoryRow.category) == category, within(place) if place else visible(session, actor))
    elif place is not None:
        where = within(place)
    else:
        kinds = [and_(each, live(now)) for each in _places(session, actor)]
        where = pages.newest_of_each(_LATEST, kinds, limit=limit, cursor=cursor)
    query = select(MemoryRow).where(live(now), where)
    return pages.page(session, query, _LATEST, limit=limit, cursor=cursor)


def search(
    session: Session,
    text: str,
    *,
    actor: Actor,
    now: datetime,
    place: Place | None = None,
    session_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[MemoryRow]:
    """What holds each of these words in its key, value or tags, the latest first.

    Besides what `listed` shows, the conversation `session_id` of this user is looked through.

    Raises:
        InvalidCursor: it is none of this list.
    """
    terms = text.split()[:MAX_TERMS]
    if not terms or (place is not None and not may_see(session, place, actor=actor)):
        return Page()
    where = within(place) if place else visible(session, actor)
    if place is None and session_id is not None:
        here = Place(Scope.SESSION, session_id)
        where = or_(where, within(here)) if may_see(session, here, actor=actor) else where
    query = select(MemoryRow).where(live(now), where)
    for term in terms:
        query = query.where(_holds(session, term))
    return pages.page(session, query, _LATEST, limit=limit, cursor=cursor)


def find(session: Session, key: str, place: Place) -> MemoryRow | None:
    """The row of this key there, expired or not."""
    return session.exec(select(MemoryRow).where(within(place), MemoryRow.key == key)).first()


def count(session: Session, place: Place, *, now: datetime) -> int:
    """How many live rows there are there."""
    return session.exec(select(func.count()).select_from(MemoryRow).where(within(place), live(now))).one()


def within(place: Place) -> ColumnElement[bool]:
    """The rows of one place."""
    return and_(col(MemoryRow.scope) == place.scope.value, col(MemoryRow.owner) == place.owner)


def visible(session: Session, actor: Actor) -> ColumnElement[bool]:
    """The rows that a user sees when they name no place."""
    return or_(*_places(session, actor))


def _places(session: Session, actor: Actor) -> list[ColumnElement[bool]]:
    return [
        col(MemoryRow.scope) == Scope.GLOBAL.value,
        and_(col(MemoryRow.scope) == Scope.DEVICE.value, Sight(session, actor).among(col(MemoryRow.owner))),
        within(Place(Scope.USER, actor.user)),
    ]


def live(now: datetime) -> ColumnElement[bool]:
    """The rows that have not expired."""
    return or_(col(MemoryRow.expires_at).is_(None), col(MemoryRow.expires_at) > now)


def over(now: datetime) -> ColumnElement[bool]:
    """The rows that have expired."""
    return col(MemoryRow.expires_at) <= now


def is_over(row: MemoryRow, *, now: datetime) -> bool:
    """Whether this row has expired."""
    return row.expires_at is not None and row.expires_at <= now


def _elsewhere(session: Session, key: str, *, actor: Actor, now: datetime) -> Sequence[tuple[str, str]]:
    """Where a key holds something that this user may see, as scope and owner."""
    query = select(MemoryRow.scope, MemoryRow.owner).where(col(MemoryRow.key) == key, live(now))
    if actor.role is not Role.ADMIN:
        talks = select(Conversation.id).where(Conversation.user == actor.user)
        theirs = and_(col(MemoryRow.scope) == Scope.SESSION.value, col(MemoryRow.owner).in_(talks))
        query = query.where(or_(visible(session, actor), theirs))
    latest = query.order_by(col(MemoryRow.updated_at).desc(), col(MemoryRow.id)).limit(MAX_PLACES)
    return session.exec(latest).all()


def _holds(session: Session, term: str) -> ColumnElement[bool]:
    # beyond ASCII, SQLite compares letters as they are written
    cases = dict.fromkeys((term, term.lower(), term.upper(), term.capitalize()))
    return or_(*(_spelled(session, case) for case in cases))


def _spelled(session: Session, term: str) -> ColumnElement[bool]:
    # SQLite keeps JSON as it was written, in ASCII; PostgreSQL keeps the characters
    in_ascii = session.connection().dialect.name == "sqlite"
    inside = json.dumps(term, ensure_ascii=in_ascii)[1:-1]
    return or_(
        col(MemoryRow.key).icontains(term, autoescape=True),
        cast(col(MemoryRow.value), Text).icontains(inside, autoescape=True),
        cast(col(MemoryRow.tags), Text).icontains(inside, autoescape=True),
    )

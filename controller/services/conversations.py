"""Conversations with the assistant: sessions and what was said in them.

What was said by MQTT can be forged by whoever has the broker, so such a conversation stays
there: nobody's own words at another door are ever completed by it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from controller.errors import SessionOver, UnknownSession
from controller.services import audit, memories, pages
from controller.services.actors import FORGEABLE, Actor, Role
from controller.services.pages import Order, Page
from controller.store.tables import Conversation, Json, Message
from schemas.ids import new_id
from schemas.wire import JsonObject

_DOOR = "via"
_QUESTION = "question"
_ORDER = "order"
_BY_BEGIN = Order.of("sessions", "sessions", "started_at", "id")
_AS_SAID = Order.of("messages", "messages", "number")


def begin(session: Session, *, actor: Actor, now: datetime, device_id: str | None = None) -> Conversation:
    """Start a conversation of this user."""
    row = Conversation(id=new_id(), user=actor.user, device_id=device_id, started_at=now)
    if actor.via in FORGEABLE:
        row.context = {_DOOR: actor.via.value}
    session.add(row)
    return row


def get(session: Session, session_id: str, *, actor: Actor) -> Conversation:
    """The user's own conversation, to go on with.

    Raises:
        UnknownSession: there is none of that id, or it is somebody else's, or of another door.
        SessionOver: it was ended.
    """
    row = session.get(Conversation, session_id)
    if row is None or row.user != actor.user:
        raise UnknownSession(session_id)
    if (row.context or {}).get(_DOOR) != (actor.via.value if actor.via in FORGEABLE else None):
        raise UnknownSession(session_id)
    if not row.is_active:
        raise SessionOver(session_id)
    return row


def look(session: Session, session_id: str, *, actor: Actor) -> Conversation:
    """A conversation to be looked at: one's own, and an admin anybody's.

    Raises:
        UnknownSession: there is none of that id for this user.
    """
    row = session.get(Conversation, session_id)
    if row is None or (row.user != actor.user and actor.role is not Role.ADMIN):
        raise UnknownSession(session_id)
    return row


def listed(
    session: Session,
    *,
    actor: Actor,
    user: str | None = None,
    active: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Conversation]:
    """Conversations, the last begun first: one's own; an admin sees everybody's, or those of one `user`.

    Raises:
        InvalidCursor: it is none of this list.
    """
    whose = user if actor.role is Role.ADMIN else actor.user
    query = select(Conversation)
    if whose is not None:
        query = query.where(Conversation.user == whose)
    if active:
        query = query.where(col(Conversation.is_active))
    return pages.page(session, query, _BY_BEGIN, limit=limit, cursor=cursor)


def end(session: Session, session_id: str, *, actor: Actor, now: datetime) -> Conversation:
    """End a conversation, and with it what was remembered for it alone; what was said stays on record.

    One that has ended already is left as it is.

    Raises:
        UnknownSession: there is none of that id for this user; an admin may end anybody's.
    """
    row = look(session, session_id, actor=actor)
    if row.is_active:
        row.is_active, row.ended_at, row.context = False, now, _door_only(row)
        memories.forget_session(session, row.id)
        detail: JsonObject = {"session_id": row.id, "user": row.user}
        audit.record(session, "session.ended", now=now, actor=actor, detail=detail)
    return row


def open_question(row: Conversation) -> Json | None:
    """What was asked back last and is not answered yet."""
    found: Json | None = (row.context or {}).get(_QUESTION)
    return found


def keep_question(row: Conversation, question: Json | None) -> None:
    """Remember what was asked back, or that it is over."""
    _keep(row, _QUESTION, question)


def last_order(row: Conversation) -> Json | None:
    """What was ordered last in it, as `keep_order` got it."""
    found: Json | None = (row.context or {}).get(_ORDER)
    return found


def keep_order(row: Conversation, order: Json | None) -> None:
    """Remember what was ordered last; None: it cannot be repeated."""
    _keep(row, _ORDER, order)


def _keep(row: Conversation, name: str, value: Json | None) -> None:
    kept = {known: held for known, held in (row.context or {}).items() if known != name}
    row.context = (kept if value is None else kept | {name: value}) or None


def _door_only(row: Conversation) -> Json | None:
    door = (row.context or {}).get(_DOOR)
    return None if door is None else {_DOOR: door}


def continued(session: Session, session_id: str) -> Conversation:
    """A conversation that a turn has opened already.

    Raises:
        UnknownSession: it was removed meanwhile.
    """
    row = session.get(Conversation, session_id)
    if row is None:
        raise UnknownSession(session_id)
    return row


def say(
    session: Session,
    row: Conversation,
    role: str,
    content: str,
    *,
    now: datetime,
    tool_calls: Sequence[JsonObject] = (),
    tokens_used: int | None = None,
) -> Message:
    """Add one message. `role` is user, assistant or tool; a tool's words are untrusted for ever."""
    message = Message(
        id=new_id(),
        session_id=row.id,
        role=role,
        content=content,
        tool_calls=list(tool_calls) or None,
        tokens_used=tokens_used,
        created_at=now,
    )
    session.add(message)
    row.message_count += 1
    row.tool_execution_count += len(tool_calls)
    return message


def history(session: Session, session_id: str, *, limit: int, cursor: str | None = None) -> Page[Message]:
    """The last messages, oldest first; with a cursor, those that were said before it.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(Message).where(Message.session_id == session_id)
    found = pages.page(session, query, _AS_SAID, limit=limit, cursor=cursor)
    found.reverse()
    return found

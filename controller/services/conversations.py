"""Conversations with the assistant: sessions and what was said in them.

What was said by MQTT can be forged by whoever has the broker, so such a conversation stays
there: nobody's own words at another door are ever completed by it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from controller.errors import UnknownSession
from controller.services.actors import FORGEABLE, Actor
from controller.store.tables import Conversation, Json, Message
from schemas.ids import new_id
from schemas.wire import JsonObject

_DOOR = "via"
_QUESTION = "question"


def begin(session: Session, *, actor: Actor, now: datetime, device_id: str | None = None) -> Conversation:
    """Start a conversation of this user."""
    row = Conversation(id=new_id(), user=actor.user, device_id=device_id, started_at=now)
    if actor.via in FORGEABLE:
        row.context = {_DOOR: actor.via.value}
    session.add(row)
    return row


def get(session: Session, session_id: str, *, actor: Actor) -> Conversation:
    """The user's own conversation.

    Raises:
        UnknownSession: there is none of that id, or it is somebody else's, or of another door.
    """
    row = session.get(Conversation, session_id)
    if row is None or row.user != actor.user:
        raise UnknownSession(session_id)
    if (row.context or {}).get(_DOOR) != (actor.via.value if actor.via in FORGEABLE else None):
        raise UnknownSession(session_id)
    return row


def open_question(row: Conversation) -> Json | None:
    """What was asked back last and is not answered yet."""
    found: Json | None = (row.context or {}).get(_QUESTION)
    return found


def keep_question(row: Conversation, question: Json | None) -> None:
    """Remember what was asked back, or that it is over."""
    kept = {name: value for name, value in (row.context or {}).items() if name != _QUESTION}
    row.context = (kept if question is None else kept | {_QUESTION: question}) or None


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


def history(session: Session, session_id: str, *, limit: int) -> list[Message]:
    """The last messages, oldest first."""
    query = (
        select(Message)
        .where(Message.session_id == session_id)
        .order_by(col(Message.number).desc())
        .limit(limit)
    )
    return list(reversed(session.exec(query).all()))

"""What there is to find, and what a search shows of it."""

from typing import Any

from sqlmodel import Session

from controller.services import audit, conversations, memories, search
from controller.services.actors import Actor
from controller.services.memories import NewMemory
from controller.services.search import Hit, Query
from tests.factories import ADMIN, NOON, later

LATE = later(86_400)


def found(session: Session, text: str, *, actor: Actor = ADMIN, limit: int = 200, **only: Any) -> list[Hit]:
    """What a search shows."""
    session.flush()
    return search.find(session, Query(text, **only), actor=actor, now=LATE, limit=limit).hits


def titles(session: Session, text: str, *, actor: Actor = ADMIN, **only: Any) -> list[str]:
    return [hit.title for hit in found(session, text, actor=actor, **only)]


def noted(session: Session, action: str, seconds: float = 0, **more: Any) -> None:
    audit.record(session, action, now=later(seconds), **more)


def remembered(session: Session, key: str, value: Any, **more: Any) -> None:
    more = {"place": memories.own(ADMIN)} | more
    actor = more.pop("actor", ADMIN)
    memories.remember(session, NewMemory(key, value, **more), actor=actor, now=NOON)


def said(session: Session, role: str, content: str, *, actor: Actor = ADMIN) -> None:
    row = conversations.begin(session, actor=actor, now=NOON)
    session.flush()
    conversations.say(session, row, role, content, now=NOON)
    session.flush()

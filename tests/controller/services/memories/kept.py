"""What people keep in these tests, where they keep it, and how they find it again."""

from typing import Any

from sqlmodel import Session

from controller.services import memories
from controller.services.actors import Actor
from controller.services.memories import NewMemory, Place, Scope
from controller.store.tables import MemoryRow
from tests.factories import OPERATOR, later

EVERYBODY = Place(Scope.GLOBAL)


def a_memory(key: str = "nas", value: Any = "in the cupboard", **fields: Any) -> NewMemory:
    place = fields.pop("place", memories.own(OPERATOR))
    return NewMemory(key, value, place, **fields)


def keep(session: Session, new: NewMemory, actor: Actor = OPERATOR, seconds: float = 0.0) -> MemoryRow:
    return memories.remember(session, new, actor=actor, now=later(seconds))


def found(session: Session, text: str, actor: Actor = OPERATOR, **more: Any) -> list[str]:
    return [row.key for row in memories.search(session, text, actor=actor, now=later(60), **more)]


def value(session: Session, key: str = "nas", place: Place | None = None, actor: Actor = OPERATOR) -> Any:
    return memories.get(session, key, place or memories.own(OPERATOR), actor=actor, now=later(60)).value

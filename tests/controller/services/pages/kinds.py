"""Every list that is shown by pages: how to ask for a page of it, and how to add a row."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlmodel import Session

from controller.services import approvals, audit, commands, conversations, events, memories
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.pages import Page
from controller.store.tables import ApprovalRow, Conversation, EventRow, MemoryRow, Message
from schemas.events import Severity
from tests.factories import ADMIN, NOON, an_execution, later

TALK = "talk"


@dataclass(frozen=True, slots=True)
class Kind:
    """One list: how to ask for a page of it, and how to add a row that stands `at` seconds after noon."""

    page: Callable[..., Page[Any]]
    add: Callable[[Session, int, int], None]  # the number of the row, and its seconds
    is_turned: bool = False  # a page has its oldest row first


def an_order(session: Session, number: int, at: int) -> None:
    session.add(
        an_execution(f"{at:04}-{number:04}", parent_id="group", issued_at=later(at), expires_at=later(at))
    )


def an_event(session: Session, number: int, at: int) -> None:
    session.add(
        EventRow(
            id=f"{number}",
            device_id="laptop" if number % 2 else "printer",  # two devices may use one id
            event_type="low_disk_space",
            severity="warning",
            data={},
            created_at=NOON,
            received_at=later(at),
        )
    )


def an_entry(session: Session, number: int, at: int) -> None:
    audit.record(session, ("command.sent", "command.failed")[number % 2], now=later(at), device_id="laptop")


def a_talk(session: Session, number: int, at: int) -> None:
    session.add(Conversation(id=f"{number}", user=ADMIN.user, started_at=later(at)))


def a_word(session: Session, number: int, at: int) -> None:
    if session.get(Conversation, TALK) is None:
        session.add(Conversation(id=TALK, user=ADMIN.user, started_at=NOON))
        session.flush()
    message = Message(id=f"{number}", session_id=TALK, role="user", content="hello", created_at=later(at))
    session.add(message)


def a_memory(session: Session, number: int, at: int) -> None:
    session.add(
        MemoryRow(
            id=f"{number}",
            key=f"key {number}",
            value="in the cupboard",
            scope="global",
            user=ADMIN.user,
            category="place",
            source="person",
            created_at=later(at),
            updated_at=later(at),
        )
    )


def a_card(session: Session, number: int, at: int) -> None:
    session.add(
        ApprovalRow(
            id=f"{at:04}-{number:04}",
            hash="h",
            summary="s",
            risk="high",
            requested_by="ada",
            created_at=later(at),
            expires_at=later(at),
        )
    )


HERE: dict[str, Any] = {"actor": ADMIN, "now": NOON}
KINDS = {
    "commands": Kind(commands.listed, an_order),
    "commands of a device": Kind(partial(commands.listed, device_id="laptop"), an_order),
    "commands by status": Kind(partial(commands.listed, status=Status.SUCCEEDED), an_order),
    "commands of a group": Kind(partial(commands.listed, parent_id="group"), an_order),
    "events": Kind(events.recent, an_event),
    "events by type": Kind(partial(events.recent, event_type="low_disk_space"), an_event),
    "events by severity": Kind(partial(events.recent, severity=Severity.WARNING), an_event),
    "open events": Kind(partial(events.recent, unresolved=True), an_event),
    "audit": Kind(audit.entries, an_entry),
    "audit of a device": Kind(partial(audit.entries, device_id="laptop"), an_entry),
    "audit by action": Kind(partial(audit.entries, action="command."), an_entry),
    "audit of a device by action": Kind(
        partial(audit.entries, device_id="laptop", action="command."), an_entry
    ),
    "sessions": Kind(partial(conversations.listed, actor=ADMIN), a_talk),
    "sessions of a user": Kind(partial(conversations.listed, actor=ADMIN, user=ADMIN.user), a_talk),
    "sessions that go on": Kind(partial(conversations.listed, actor=ADMIN, active=True), a_talk),
    "messages": Kind(partial(conversations.history, session_id=TALK), a_word, is_turned=True),
    "memory": Kind(partial(memories.listed, **HERE), a_memory),
    "memory by category": Kind(partial(memories.listed, category="place", **HERE), a_memory),
    "memory that holds a word": Kind(partial(memories.search, text="cupboard", **HERE), a_memory),
    "approvals": Kind(approvals.listed, a_card),
    "approvals by status": Kind(partial(approvals.listed, status=ApprovalStatus.PENDING), a_card),
}

EACH_ORDER = (
    "commands",
    "open events",
    "audit",
    "audit by action",
    "sessions",
    "messages",
    "memory",
    "approvals",
)

"""Lists a page at a time: whatever comes meanwhile, each row is shown once and none is left out."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from controller.errors import InvalidCursor
from controller.services import approvals, audit, commands, conversations, devices, events, memories
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.pages import MAX_CURSOR, Page
from controller.store.tables import ApprovalRow, Conversation, EventRow, MemoryRow, Message, ToolExecution
from schemas.events import Severity
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_place, later
from tests.plans import explained

TALK = "talk"


@dataclass(frozen=True, slots=True)
class Kind:
    """One list: how to ask for a page of it, and how to add a row that stands `at` seconds after noon."""

    page: Callable[..., Page[Any]]
    add: Callable[[Session, int, int], None]  # the number of the row, and its seconds
    is_turned: bool = False  # a page has its oldest row first


def an_order(session: Session, number: int, at: int) -> None:
    session.add(
        ToolExecution(
            id=f"{at:04}-{number:04}",
            device_id="laptop",
            tool_name="system_info",
            parameters={},
            requested_by="ada",
            role="admin",
            via="cli",
            trace_id="t",
            decision="allow",
            risk="low",
            status="succeeded",
            parent_id="group",
            timeout_s=1.0,
            valid_s=1.0,
            issued_at=later(at),
            expires_at=later(at),
        )
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


def name_of(row: Any) -> Any:
    return getattr(row, "number", None) or (row.id, getattr(row, "device_id", None))


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


@pytest.mark.parametrize("name", EACH_ORDER)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    there=st.lists(st.integers(0, 3), max_size=12),  # many of the same second
    coming=st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=6),
    limit=st.integers(1, 5),
)
def test_each_row_is_shown_once_in_order_whatever_comes_meanwhile(
    databases: Databases, name: str, there: list[int], coming: list[list[int]], limit: int
) -> None:
    kind = KINDS[name]
    with Session(databases.writer, expire_on_commit=False) as session, session.begin():
        for number, at in enumerate(there):
            kind.add(session, number, at)
            session.flush()
        before = {name_of(row) for row in kind.page(session, limit=1_000)}
        assert len(before) == len(there)
        shown: list[Any] = []
        cursor, count = None, len(there)
        while True:
            page = kind.page(session, limit=limit, cursor=cursor)
            assert len(page) <= limit
            shown += reversed(page) if kind.is_turned else page
            if page.next is None:
                break
            assert len(page) == limit
            cursor = page.next
            for at in coming.pop() if coming else ():
                kind.add(session, count, at)
                count += 1
                session.flush()
        everything = kind.page(session, limit=1_000)
        names = [name_of(row) for row in shown]
        assert len(names) == len(set(names))
        assert before <= set(names)
        order = [name_of(row) for row in (reversed(everything) if kind.is_turned else everything)]
        assert names == [each for each in order if each in set(names)]
        assert everything.next is None
        session.rollback()


NOT_BY_INDEX = {  # of these a bounded number of rows is sorted
    "memory",
    "memory that holds a word",
    "commands of a group",
    "audit by action",
    "audit of a device by action",
}
SORTED_BY_INDEX = [name for name in KINDS if name not in NOT_BY_INDEX]
TABLES = {"commands": "tool_executions", "audit": "audit_log", "open": "events", "memory": "context_memory"}


@pytest.mark.parametrize("name", SORTED_BY_INDEX)
@pytest.mark.parametrize("of_later_pages", [False, True])
def test_a_page_is_found_without_reading_all(session: Session, name: str, *, of_later_pages: bool) -> None:
    kind = KINDS[name]
    cursor = None
    if of_later_pages:
        kind.add(session, 1, 0)
        kind.add(session, 3, 0)
        session.flush()
        cursor = kind.page(session, limit=1).next
        assert cursor is not None
    first = name.split()[0]

    plan = explained(
        session, lambda: kind.page(session, limit=10, cursor=cursor), table=TABLES.get(first, first)
    )

    assert not plan.sorts, plan
    assert plan.by_index or name == "audit", plan  # its number is where SQLite keeps the row


BAD = {
    "nothing": "",
    "no cursor": "abc",
    "not ASCII": "é",
    "not base64": "a b!",
    "no JSON": base64.urlsafe_b64encode(b"\xff{").decode(),
    "no list": base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    "an empty list": base64.urlsafe_b64encode(b"[]").decode(),
    "too deep": base64.urlsafe_b64encode(b"[" * 300).decode(),
    "too long": "a" * (MAX_CURSOR + 1),
}
STRANGE: list[Any] = [
    None,
    True,
    1.5,
    "x",
    "\ud800",
    "\0",
    "x" * 200,
    10**30,
    -(10**30),
    [],
    {},
    2**53,
    -(2**53),
    float("nan"),
]


@pytest.mark.parametrize("cursor", BAD.values(), ids=BAD)
def test_what_is_no_cursor_is_refused(session: Session, cursor: str) -> None:
    for kind in KINDS.values():
        with pytest.raises(InvalidCursor, match="no cursor of this list"):
            kind.page(session, limit=1, cursor=cursor)


@pytest.mark.parametrize("name", EACH_ORDER)
def test_strange_places_are_refused_or_lead_to_a_page(session: Session, name: str) -> None:
    kind = KINDS[name]
    kind.add(session, 1, 0)
    kind.add(session, 3, 0)
    session.flush()
    cursor = kind.page(session, limit=1).next
    assert cursor is not None
    held = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    refused = 0
    for place in range(1, len(held) + 1):
        for strange in STRANGE:
            made = [*held[:place], strange, *held[place + 1 :]]
            sealed = base64.urlsafe_b64encode(json.dumps(made).encode()).decode()
            try:
                assert len(kind.page(session, limit=1, cursor=sealed)) <= 1
            except InvalidCursor:
                refused += 1
    assert refused >= len(STRANGE)


def test_a_cursor_serves_its_own_list_only(session: Session) -> None:
    cursors = {}
    for name in ("commands", "events", "audit", "sessions", "messages", "memory", "approvals"):
        kind = KINDS[name]
        kind.add(session, 1, 0)
        kind.add(session, 3, 0)
        session.flush()
        cursors[name] = kind.page(session, limit=1).next

    for name, cursor in cursors.items():
        for other in cursors:
            if other == name:
                KINDS[other].page(session, limit=1, cursor=cursor)
            else:
                with pytest.raises(InvalidCursor):
                    KINDS[other].page(session, limit=1, cursor=cursor)


def test_a_row_that_was_removed_still_tells_where_to_go_on(session: Session) -> None:
    for number in range(3):
        an_event(session, number, number)
    session.flush()
    first = events.recent(session, limit=1)
    session.delete(first[0])
    session.flush()

    assert [row.id for row in events.recent(session, cursor=first.next)] == ["1", "0"]


def test_an_action_that_is_rare_is_found_beside_many_others(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    for number in range(50):
        audit.record(session, "command.sent", now=NOON + timedelta(seconds=number))

    assert [entry.action for entry in audit.entries(session, action="device")] == ["device.added"]
    assert [entry.action for entry in audit.entries(session, limit=2, action="")] == ["command.sent"] * 2
    assert audit.entries(session, action="%") == []

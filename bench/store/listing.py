"""Every list and each of its filters as the API gives them, beside the same query by the bare driver."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Engine, event
from sqlmodel import Session, select

from bench.figures import Figure, percentile
from bench.store.filling import ACTOR, BUSY, device_of
from controller.api import views
from controller.services import (
    approvals,
    audit,
    commands,
    conversations,
    devices,
    events,
    memories,
    undoing,
)
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.pages import Page
from controller.store.tables import Message
from schemas.events import Severity

GOAL = 20.0  # ms, p50 of a page
LOOK = 1.0  # ms, p50 of one device's latest state
ROUNDS = 30
DEEP = 20_000  # rows before a page that is asked for by its cursor
LIMIT = 50
NOW = datetime(2026, 2, 1, tzinfo=UTC)

List = Callable[..., Page[Any]]
View = Callable[[Session, Page[Any]], object]


def measure(reader: Engine, asker: Engine, rows: int, name: str) -> list[Figure]:
    """p50 of the first page and of a deep one, and of a look at one device."""
    with Session(reader) as session:
        talk = session.execute(select(Message.session_id).limit(1)).scalar_one()
        deep = commands.listed(session, limit=min(DEEP, rows // 2)).next
    later: List = partial(commands.listed, cursor=deep)
    lists = [*_lists(talk), ("commands, a page deep in the list", later, _commands)]
    return [
        *(_page(reader, f"{name}: {what}", wanted, view) for what, wanted, view in lists),
        _state(asker, name),
    ]


def _lists(talk: str) -> list[tuple[str, List, View]]:
    here: dict[str, Any] = {"actor": ACTOR, "now": NOW}
    kinds: list[tuple[str, List, Callable[[Any], object], list[dict[str, Any]]]] = [
        (
            "events",
            events.recent,
            views.event,
            [
                {},
                {"device_id": BUSY},
                {"device_id": device_of(4_711)},
                {"event_type": "low_disk_space"},
                {"event_type": "identity_conflict"},
                {"severity": Severity.CRITICAL},
                {"unresolved": True},
                {"unresolved": True, "device_id": BUSY},
                {"unresolved": True, "severity": Severity.CRITICAL},
                {"event_type": "identity_conflict", "device_id": device_of(4_711)},
            ],
        ),
        (
            "audit",
            audit.entries,
            views.audit,
            [
                {},
                {"device_id": BUSY},
                {"device_id": device_of(4_711)},
                {"action": "command."},
                {"action": "approval.refused"},
                {"action": "approval", "device_id": BUSY},
                {"action": "nothing"},
            ],
        ),
        (
            "sessions",
            partial(conversations.listed, actor=ACTOR),
            views.conversation,
            [{}, {"user": "ada"}, {"active": True}, {"user": "bench", "active": True}],
        ),
        ("messages", partial(conversations.history, session_id=talk), views.message, [{}]),
        (
            "memory",
            partial(memories.listed, **here),
            views.memory,
            [{}, {"category": "place"}, {"place": memories.own(ACTOR)}],
        ),
        ("approvals", approvals.listed, views.approval, [{}, {"status": ApprovalStatus.DENIED}]),
    ]
    of_commands: list[dict[str, Any]] = [
        {},
        {"device_id": BUSY},
        {"device_id": device_of(4_711)},
        {"status": Status.SUCCEEDED},
        {"status": Status.FAILED},
        {"status": Status.QUEUED},
        {"status": Status.FAILED, "device_id": BUSY},
    ]
    found: list[tuple[str, List, View]] = [
        (_said("commands", each), partial(commands.listed, **each), _commands) for each in of_commands
    ]
    for name, ask, view, filters in kinds:
        found += [(_said(name, each), partial(ask, **each), partial(_viewed, view=view)) for each in filters]
    return found


def _said(name: str, filters: dict[str, Any]) -> str:
    return f"{name} {' '.join(f'{key}={value}' for key, value in filters.items())}".strip()


def _commands(session: Session, rows: Page[Any]) -> object:
    undone = undoing.taken_up(session, rows)
    return [views.command(row, undone=row.id in undone) for row in rows]


def _viewed(_session: Session, rows: Page[Any], *, view: Callable[[Any], object]) -> object:
    return [view(row) for row in rows]


def _page(reader: Engine, what: str, ask: List, view: View) -> Figure:
    def whole() -> None:
        with Session(reader) as session:
            view(session, ask(session, limit=LIMIT))

    return _figure(what, whole, _bare(reader, _asked(reader, whole)), GOAL)


def _state(asker: Engine, name: str) -> Figure:
    numbers = iter(range(1, 100_000))

    def look() -> None:
        with Session(asker) as session:
            views.device(devices.get(session, device_of(next(numbers))))

    what = f"{name}: latest state of one device"
    return _figure(what, look, _bare(asker, _asked(asker, look)), LOOK)


def _asked(reader: Engine, work: Callable[[], None]) -> list[tuple[str, Any]]:
    """What a piece of work asks the database."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append((statement, parameters))

    event.listen(reader, "before_cursor_execute", note)
    work()
    event.remove(reader, "before_cursor_execute", note)
    return statements


def _bare(reader: Engine, statements: Sequence[tuple[str, Any]]) -> list[float]:
    """The same statements by the driver alone, its rows as they come."""
    with closing(reader.raw_connection()) as connection:
        cursor: Any = connection.cursor()

        def ask() -> None:
            for statement, parameters in statements:
                cursor.execute(statement, parameters)
                cursor.fetchall()

        return _timed(ask)


def _timed(work: Callable[[], None]) -> list[float]:
    work()
    samples = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        samples.append((time.perf_counter() - begun) * 1e3)
    return samples


def _busy(work: Callable[[], None]) -> float:
    """What one call takes of a core here, in ms, whatever else the machine does; not the server's share."""
    begun = time.process_time()
    for _ in range(ROUNDS):
        work()
    return (time.process_time() - begun) * 1e3 / ROUNDS


def _figure(what: str, work: Callable[[], None], bare: list[float], goal: float) -> Figure:
    ours = _timed(work)
    median, baseline = percentile(ours, 50), percentile(bare, 50)
    return Figure(
        f"{what}: p50/p99 (CPU)",
        f"{median:.2f}/{percentile(ours, 99):.2f} ms ({_busy(work):.2f})",
        f"bare driver {baseline:.2f} ms",
        median / baseline,
        f"p50 under {goal:g} ms",
        median < goal,
    )

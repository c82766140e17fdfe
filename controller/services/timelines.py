"""What one trace or one command set in motion, in the order that it happened: read from what is on record.

A trace is a label that a caller may have chosen, so each station says who caused it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from controller.errors import UnknownTrace
from controller.services.actors import Role
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.sight import Sight
from controller.store.tables import ApprovalRow, AuditEntry, ToolExecution

MOST = 100  # commands of one trace
MOST_BESIDE = 200  # rows of the audit that are about none of them
CONTROLLER = "the controller"


@dataclass(frozen=True, slots=True)
class Station:
    """Something that happened: when, what, and by whose doing. `said`: why, or how it went."""

    at: datetime
    event: str
    actor: str
    via: str | None = None
    said: str | None = None
    command_id: str | None = None
    device_id: str | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """All stations, the earliest first; `commands` is how many there are, shown or not."""

    trace_id: str
    commands: int
    stations: tuple[Station, ...]


def of(session: Session, name: str, *, sight: Sight) -> Timeline:
    """The timeline of a command, by its id, or of a trace, as far as somebody sees it.

    Whoever may read the audit is told what it alone knows, too.

    Raises:
        UnknownTrace: to them nothing of that name is on record.
    """
    name = name.lower()  # as all that is on record is; people type what they read elsewhere
    one = session.get(ToolExecution, name)
    if one is not None and not sight.command(one):
        raise UnknownTrace(name)
    rows = [one] if one is not None else _of_trace(session, name, sight)
    trace_id = name if one is None else one.trace_id
    audited = sight.actor.role is Role.ADMIN and not sight.actor.is_narrowed
    entries = list(_entries(session, trace_id, rows)) if audited else []
    if not rows and not entries:
        raise UnknownTrace(name)
    count = 1 if one is not None else _count(session, trace_id, sight)
    stations = [*_of_cards(session, rows, sight), *map(_of_entry, entries)]
    for row in rows:
        stations += _of_command(row, whole=sight.whole(row))
    stations.sort(key=lambda station: (station.at, _rank(station)))
    return Timeline(trace_id, count, tuple(stations))


def _rank(station: Station) -> int:
    """What comes first of what happened in one transaction, and so at one moment."""
    first = ("request.received", "asked", "decided", "approval asked")
    if station.event in first:
        return first.index(station.event)
    return len(first) + (0 if station.event.startswith("approval ") else 1)


def _of_trace(session: Session, trace_id: str, sight: Sight) -> list[ToolExecution]:
    query = select(ToolExecution).where(ToolExecution.trace_id == trace_id, sight.of_commands())
    return list(session.exec(query.order_by(col(ToolExecution.id)).limit(MOST)))


def _count(session: Session, trace_id: str, sight: Sight) -> int:
    query = select(func.count()).where(ToolExecution.trace_id == trace_id, sight.of_commands())
    return session.exec(query).one()


def _of_command(row: ToolExecution, *, whole: bool) -> Iterator[Station]:
    """Who does not see it whole is not told why and how: that holds arguments and results."""
    about = {"command_id": row.id, "device_id": row.device_id or row.group_name, "tool": row.tool_name}

    def station(at: datetime | None, event: str, actor: str, **more: str | None) -> Iterator[Station]:
        if at is not None:
            yield Station(at, event, actor, **more, **about)

    device = row.device_id or CONTROLLER
    yield from station(row.issued_at, "asked", row.requested_by, via=row.via)
    yield from station(row.issued_at, "decided", CONTROLLER, said=_reasons(row) if whole else row.decision)
    yield from station(row.released_at, "queued", CONTROLLER)
    again = f"handed over {row.attempt} times" if row.attempt > 1 else None
    yield from station(row.published_at, "published", CONTROLLER, said=again)
    yield from station(row.accepted_at, "accepted", device)
    # what a device answered is its word; every other end is the controller's
    ended_by = device if row.accepted_at is not None else CONTROLLER
    yield from station(row.finished_at, row.status, ended_by, said=_outcome(row) if whole else None)


def _reasons(row: ToolExecution) -> str:
    return f"{row.decision}: {'; '.join(row.reasons)}"


def _outcome(row: ToolExecution) -> str | None:
    if row.error_message is not None:
        return row.error_message
    return None if row.duration_ms is None else f"its tool took {row.duration_ms:.0f} ms"


def _of_cards(session: Session, rows: Sequence[ToolExecution], sight: Sight) -> Iterator[Station]:
    wanted = {row.approval_id for row in rows if row.approval_id is not None}
    for card in session.exec(select(ApprovalRow).where(col(ApprovalRow.id).in_(wanted))):
        if not sight.card(card):
            continue
        yield Station(card.created_at, "approval asked", CONTROLLER, said=card.summary)
        if card.decided_at is not None and card.status != ApprovalStatus.PENDING.value:
            by = card.decided_by or CONTROLLER
            yield Station(card.decided_at, f"approval {card.status}", by, said=card.comment)


def _entries(session: Session, trace_id: str, rows: Iterable[ToolExecution]) -> Iterator[AuditEntry]:
    """What the audit has beyond the rows: about these commands, and about the trace and no command."""
    ids = [row.id for row in rows]
    beside = select(AuditEntry).where(
        AuditEntry.trace_id == trace_id,
        col(AuditEntry.trace_id).is_not(None),
        col(AuditEntry.command_id).is_(None),
    )
    yield from _telling(session.exec(beside.order_by(col(AuditEntry.number)).limit(MOST_BESIDE)))
    about = select(AuditEntry).where(col(AuditEntry.command_id).in_(ids))
    yield from _telling(session.exec(about.order_by(col(AuditEntry.number))))


def _telling(entries: Iterable[AuditEntry]) -> Iterator[AuditEntry]:
    told = {f"command.{status.value}" for status in Status} | {
        f"approval.{status.value}" for status in ApprovalStatus
    }
    told.add("approval.asked")
    for entry in entries:
        if entry.action not in told and not entry.action.startswith("decision."):
            yield entry


def _of_entry(entry: AuditEntry) -> Station:
    code = (entry.detail or {}).get("code")
    return Station(
        entry.at,
        entry.action,
        entry.actor,
        via=entry.via,
        said=code if isinstance(code, str) else None,
        command_id=entry.command_id,
        device_id=entry.device_id,
        tool=entry.tool,
    )

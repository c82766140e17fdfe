"""Many rows in no time: the database multiplies a few rows that the services wrote, and then indexes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    String,
    case,
    cast,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
)
from sqlmodel import Session

from controller.services import audit, conversations, events, inquiries, memories
from controller.services.actors import Actor, Role
from controller.services.commands import CommandRequest, Origin
from controller.services.memories import NewMemory, Place, Scope
from controller.store import engine as engines
from controller.store.tables import METADATA, ApprovalRow, Device
from controller.store.types import UtcTime
from schemas.commands import Via
from schemas.events import Event, Severity
from schemas.ids import new_id

ACTOR = Actor("bench", Role.ADMIN, Via.API)
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
DEVICES = 10_000
BUSY = "device-busy"  # one device has a tenth of everything
RARELY = 10_000  # one row of so many is of the rare kind
FIRST = 100_000_000  # so that numbers sort as texts

Number = ColumnElement[int]
_NUMBER: Number = literal_column("numbers.number", Integer)


@dataclass(frozen=True, slots=True)
class Multiplied:
    """A table, and what differs from row to row of what is multiplied; `share`: one row of so many, 0: as many as devices."""

    table: str
    share: int
    changed: Mapping[str, Any]


def fill(engine: Engine, rows: int) -> None:
    """Executions, events and audit rows, `rows` of each; a tenth as many of whatever else has a list."""
    with Session(engine) as session, session.begin():
        _originals(session)
    with engine.begin() as connection:
        for each in _multiplied(connection):
            _multiply(connection, each, max(1, rows // each.share) if each.share else DEVICES)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def device_of(number: int) -> str:
    """One of the devices that are not busy."""
    return f"device-{FIRST + number}"


def _originals(session: Session) -> None:
    """One row of each table, as the services write it."""
    session.add(
        Device(
            id=new_id(),
            device_id=BUSY,
            status="online",
            heartbeat={"cpu_percent": 3.5},
            registered_at=BEGUN,
            updated_at=BEGUN,
        )
    )
    session.flush()
    request = CommandRequest(BUSY, "device_status", {}, user_query="is it on?")
    inquiries.answer(session, request, actor=ACTOR, now=BEGUN, origin=Origin.here())
    for severity in Severity:
        events.store(session, BUSY, an_event(severity), now=BEGUN)
    talk = conversations.begin(session, actor=ACTOR, now=BEGUN)
    session.flush()
    conversations.say(session, talk, "user", "wat staat er in Documenten op kantoor?", now=BEGUN)
    place = NewMemory("nas", "in the meter cupboard", Place(Scope.GLOBAL), category="place")
    memories.remember(session, place, actor=ACTOR, now=BEGUN)
    session.add(
        ApprovalRow(
            id=new_id(),
            hash="h",
            summary="delete_path on nas: path=old",
            risk="high",
            requested_by="bench",
            created_at=BEGUN,
            expires_at=BEGUN,
        )
    )
    audit.record(session, "something.rare", now=BEGUN, actor=ACTOR)


def an_event(severity: Severity = Severity.WARNING) -> Event:
    """One event of a disk."""
    return Event(
        id=new_id(),
        type="low_disk_space",
        severity=severity,
        data={"percent": 91, "path": "/", "free_gb": 12.5},
        at=BEGUN,
    )


def _multiplied(connection: Connection) -> list[Multiplied]:
    number = _NUMBER
    key = literal("zzz-").concat(_digits(number))  # behind the originals
    device = case((number % 10 == 0, BUSY), else_=literal("device-").concat(_digits(number % DEVICES)))
    at = _moment(connection)
    rare = number % RARELY == 0
    command = {"id": key, "trace_id": key, "device_id": device, "issued_at": at, "expires_at": at}
    command |= {"finished_at": at, "executed_at": at, "status": case((rare, "failed"), else_="succeeded")}
    noted: dict[str, Any] = {"device_id": device, "command_id": key, "trace_id": key, "at": at}
    noted |= {"number": number + 1_000, "position": number + 1_000, "hash": key, "previous": key}
    noted["action"] = case((rare, "approval.refused"), else_="command.succeeded")
    seen: dict[str, Any] = {"id": key, "device_id": device, "created_at": at, "received_at": at}
    seen |= {"severity": case((rare, "critical"), (number % 3 == 0, "info"), else_="warning")}
    seen |= {"event_type": case((rare, "identity_conflict"), else_="low_disk_space")}
    seen |= {"resolved": number % 20 != 0, "resolved_at": at}
    user = case((rare, "ada"), else_="bench")
    return [
        Multiplied("devices", 0, {"id": key, "device_id": literal("device-").concat(_digits(number))}),
        Multiplied("tool_executions", 1, command),
        Multiplied("events", 1, seen),
        Multiplied("audit_log", 1, noted),
        Multiplied("sessions", 10, {"id": key, "started_at": at, "user": user, "is_active": rare}),
        Multiplied("messages", 10, {"number": number + 1_000, "id": key, "created_at": at}),
        Multiplied(
            "context_memory",
            10,
            {"id": key, "key": key, "updated_at": at, "scope": "device", "owner": device},
        ),
        Multiplied(
            "approvals", 10, {"id": key, "created_at": at, "status": case((rare, "denied"), else_="expired")}
        ),
    ]


def _multiply(connection: Connection, wanted: Multiplied, rows: int) -> None:
    table = METADATA.tables[wanted.table]
    made_last = [index for index in table.indexes if not index.unique]
    for index in made_last:
        index.drop(connection)
    numbers = select(literal(1).label("number")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.number + 1).where(numbers.c.number < rows))
    original = select(table).limit(1).subquery("original")
    values = [_value(each.name, wanted, original) for each in table.columns]
    filled = select(*values).select_from(numbers.join(original, literal(value=True)))
    connection.execute(insert(table).from_select([each.name for each in table.columns], filled))
    for index in made_last:
        index.create(connection)


def _value(name: str, wanted: Multiplied, original: Any) -> Any:
    value = wanted.changed.get(name)
    if value is None:
        return original.c[name]
    return literal(value) if isinstance(value, str) else value


def _digits(number: Number) -> ColumnElement[str]:
    return cast(number + FIRST, String)


def _moment(connection: Connection) -> ColumnElement[Any]:
    """A second later after every two rows."""
    seconds = _NUMBER // 2
    if connection.dialect.name == engines.POSTGRESQL:
        return literal(BEGUN, UtcTime) + seconds * literal_column("interval '1 second'")
    return func.strftime(
        literal_column("'%Y-%m-%d %H:%M:%S.000000'"),
        BEGUN.strftime("%Y-%m-%d %H:%M:%S"),
        cast(seconds, String).concat(" seconds"),
    )

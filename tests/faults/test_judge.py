"""The judgement goes red for each single thing that can be wrong, and for nothing else."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import Session, create_engine

from broker.session import Endpoint
from controller.store.engine import sqlite_url
from controller.store.tables import METADATA, AuditEntry, Device, EventRow, ToolExecution
from schemas.topics import Topics
from tests.factories import an_execution
from tests.faults import judge, marks, plan
from tests.faults.happenings import note
from tests.faults.ledger import Ledger, Submitted
from tests.faults.stand import Stand
from tests.faults.tap import Tap

Change = Callable[[Stand], object]
NOW = datetime(2026, 2, 12, 12, 0, tzinfo=UTC)
ORDER, EVENT = "order-1", "event-1"


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a finished run in which one command succeeded and one event was stored."""
    path = tmp_path_factory.mktemp("books") / "orion.db"
    engine = create_engine(sqlite_url(path))
    METADATA.create_all(engine)
    with Session(engine) as session:
        session.add(Device(id="d", device_id="node-1", registered_at=NOW, updated_at=NOW, policy="assist"))
        session.add(a_command(ORDER, number=1))
        session.add(an_end(ORDER, "succeeded"))
        session.add(an_event(EVENT, key="key-1"))
        session.commit()
    engine.dispose()
    return path


@pytest.fixture
def stand(tmp_path: Path, books: Path) -> Stand:
    """That run, with everything else that was noted of it."""
    ledger = Ledger()
    ledger.tried[1] += 1
    ledger.opened(ORDER, Submitted(1, marks.QUICK, "node-1"), is_open=False)
    ledger.final(ORDER, "succeeded")
    nowhere = Endpoint("127.0.0.1", 9)
    on = Stand(
        tmp_path,
        plan.make(1, plan.PROBE),
        ledger,
        {},
        {},
        httpx.AsyncClient(),
        Tap(nowhere, Topics(), ledger, 1, keys=tmp_path / "keys.json"),
        ["node-1"],
        None,
        sqlite_url(tmp_path / "orion.db"),
    )
    shutil.copy(books, tmp_path / "orion.db")
    (tmp_path / "marks").write_text(f"{ORDER}\n")
    journal(on, {ORDER: "succeeded"}, at=NOW)
    note(tmp_path / "events", "tried", "node-1", "key-1")
    note(tmp_path / "events", "kept", "node-1", "key-1", EVENT)
    return on


def a_command(command_id: str, *, number: int, status: str = "succeeded") -> ToolExecution:
    return an_execution(
        command_id,
        device_id="node-1",
        tool_name=marks.QUICK,
        parameters={"number": number},
        status=status,
        issued_at=NOW,
        expires_at=NOW,
        finished_at=NOW + timedelta(seconds=1),
    )


def an_end(command_id: str, status: str) -> AuditEntry:
    return AuditEntry(at=NOW, actor="ada", via="api", action=f"command.{status}", command_id=command_id)


def an_event(event_id: str, *, key: str) -> EventRow:
    return EventRow(
        id=event_id,
        device_id="node-1",
        event_type="harness_noted",
        severity="info",
        data={"key": key},
        created_at=NOW,
        received_at=NOW,
    )


def journal(on: Stand, known: dict[str, str], *, at: datetime) -> None:
    """The device's own books."""
    path = on.journal_of("node-1")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE commands (id TEXT, reply BLOB)")
        for one, status in known.items():
            reply = json.dumps({"status": status, "at": at.isoformat()})
            database.execute("INSERT INTO commands VALUES (?, ?)", (one, reply))


def unsaid(on: Stand) -> None:
    """The device has never said anything."""
    on.ledger.finals.clear()
    journal(on, {}, at=NOW)


def sql(statement: str, *values: object) -> Change:
    def change(on: Stand) -> None:
        with closing(sqlite3.connect(on.folder / "orion.db")) as database, database:
            database.execute(statement, values)

    return change


def add(row: ToolExecution | AuditEntry | EventRow) -> Change:
    def change(on: Stand) -> None:
        engine = create_engine(on.database)
        with Session(engine) as session:
            session.add(row)
            session.commit()
        engine.dispose()

    return change


def marked(text: str) -> Change:
    return lambda on: (on.folder / "marks").write_text(text)


def ended(status: str) -> Change:
    """The books agree on another end; the effect is there all the same."""

    def change(on: Stand) -> None:
        sql("UPDATE tool_executions SET status = ?", status)(on)
        sql("UPDATE audit_log SET action = ?", f"command.{status}")(on)
        on.ledger.finals[ORDER] = {status}

    return change


def test_a_run_in_which_all_agrees_is_green(stand: Stand) -> None:
    assert judge.books(stand).faults == []


WRONG: dict[str, tuple[Change, str]] = {
    "a lost submit": (sql("DELETE FROM tool_executions"), "returned submits are lost"),
    "a doubled submit": (add(a_command("order-2", number=1)), "one submit made several commands"),
    "an order of nobody": (add(a_command("order-2", number=2)), "commands that nobody submitted"),
    "a look that was never asked": (
        lambda on: on.ledger.asks.update({1: 2}),
        "ran without a look before",
    ),
    "a condition that was not true": (lambda on: on.ledger.refused.add(1), "its condition is never true"),
    "two effects": (marked(f"{ORDER}\n{ORDER}\n"), "took effect more than once"),
    "no effect": (marked(""), "succeeded without effect"),
    "an effect of nothing": (marked(f"{ORDER}\norder-9\n"), "effects of commands that do not exist"),
    "an effect after expiry": (ended("expired"), "expired, and took effect"),
    "an effect after a cancel": (ended("cancelled"), "cancelled, and took effect"),
    "an effect after a refusal": (ended("rejected"), "rejected, and took effect"),
    "a lost event": (sql("DELETE FROM events"), "kept events are lost"),
    "a doubled event": (add(an_event("event-2", key="key-1")), "events stored more than once"),
    "an invented event": (add(an_event("event-2", key="key-2")), "stored events that nobody produced"),
    "another one's event": (sql("UPDATE events SET device_id = 'x'"), "events under another device's name"),
    "two final words": (lambda on: on.ledger.final(ORDER, "failed"), "a device contradicted its own"),
    "an invented success": (unsaid, "succeeded, and its device did not say so"),
    "a success given up": (ended("interrupted"), "given up, though its device knew its end"),
    "no end in the audit": (sql("DELETE FROM audit_log"), "without exactly one final entry"),
    "two ends in the audit": (add(an_end(ORDER, "failed")), "without exactly one final entry"),
    "a hole in the audit": (sql("UPDATE audit_log SET number = 2"), "numbers have holes or doubles"),
    "a row in no chain": (
        sql("UPDATE audit_log SET instance = 'main', position = 1, previous = '', hash = ''"),
        "rows of the audit that do not fit",
    ),
    "an end of no order": (add(an_end("order-9", "failed")), "ends in the audit of no command"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_found(stand: Stand, wrong: str) -> None:
    change, sentence = WRONG[wrong]
    change(stand)

    found = judge.books(stand)

    assert any(sentence in fault for fault in found.faults), json.dumps(found.faults)


def test_what_a_device_learns_after_the_controller_gave_up_is_no_fault(stand: Stand) -> None:
    ended("interrupted")(stand)
    journal(stand, {ORDER: "succeeded"}, at=NOW + timedelta(seconds=9))

    assert judge.books(stand).faults == []


def test_an_event_that_is_not_stored_yet_is_waited_for(stand: Stand) -> None:
    sql("DELETE FROM events")(stand)

    assert judge.unsettled(stand) == ["event key-1 is not stored"]


def test_a_command_without_an_end_is_waited_for(stand: Stand) -> None:
    sql("UPDATE tool_executions SET status = 'sent'")(stand)

    assert judge.unsettled(stand) == [f"command {ORDER} is sent"]

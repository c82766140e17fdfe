"""A database that is moved is the same one afterwards, whatever ends the move in the middle of it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import JSON, Engine, cast, delete, func, insert, select, text, update
from sqlalchemy import Text as SqlText
from sqlmodel import Session

from controller.services import audit, proof
from controller.store import engine, ledger, migrate, moving
from controller.store.ledger import Overtaken, Unfinished
from controller.store.tables import METADATA
from tests.controller.store import odd
from tests.databases import POSTGRESQL, SQLITE, Databases
from tests.device_node.journal.disk import small_disk
from tests.factories import NOON

TABLES = METADATA.tables
ROOT = Path(__file__).parents[3]


def quiet(_table: str, _rows: int) -> None:
    """Nobody looks on."""


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    found = engine.writer(url)
    yield found
    found.dispose()


@dataclass(frozen=True)
class Ends:
    """What is moved, and where to."""

    source: Engine
    target: Engine

    def copy(self, tell: Callable[[str, int], None] = quiet, at_once: int = 2) -> moving.Copied:
        reader = engine.reader(self.url(self.source))  # as the command has it
        try:
            return moving.copy(reader, self.target, place="here", now=NOON, tell=tell, at_once=at_once)
        finally:
            reader.dispose()

    def move(self) -> moving.Copied:
        copied = self.copy()
        moving.check(self.target, copied.entries, tell=quiet)
        moving.finish(self.target, run=copied.run)
        return copied

    def url(self, which: Engine) -> str:
        return which.url.render_as_string(hide_password=False)


@pytest.fixture
def other(databases: Databases, request: pytest.FixtureRequest) -> Databases:
    """Where databases of the other kind come from."""
    kind = SQLITE if databases.kind == POSTGRESQL else POSTGRESQL
    found: Databases = request.getfixturevalue(f"{kind}_databases")
    return found


@pytest.fixture
def ends(databases: Databases, other: Databases) -> Iterator[Ends]:
    """A database with rows in every table, and one of the other kind without even a schema."""
    with (
        databases.migrated() as from_url,
        other.empty() as to_url,
        opened(from_url) as source,
        opened(to_url) as target,
    ):
        odd.fill(source)
        yield Ends(source, target)


@pytest.fixture
def to_server(sqlite_databases: Databases, postgresql_databases: Databases) -> Iterator[Ends]:
    """From an empty file to an empty server."""
    with (
        sqlite_databases.migrated() as from_url,
        postgresql_databases.migrated() as to_url,
        opened(from_url) as source,
        opened(to_url) as target,
    ):
        yield Ends(source, target)


def change(database: Engine, statement: Any) -> None:
    with database.begin() as connection:
        connection.execute(statement)


def a_user(number: int) -> dict[str, Any]:
    return {"username": f"user-{number}", "role": "admin", "added_by": "x", "added_at": NOON}


def test_every_row_of_every_table_arrives_and_comes_back_as_it_was(ends: Ends, databases: Databases) -> None:
    before = odd.contents(ends.source)
    assert {len(rows) for rows in before.values()} == {odd.ROWS}

    copied = ends.move()

    assert odd.contents(ends.target) == before
    assert {entry.changed for entry in copied.entries.values()} == {0}
    with databases.migrated() as url, opened(url) as back:
        Ends(ends.target, back).move()
        assert odd.contents(back) == before
    assert odd.contents(ends.source) == before
    migrate.prepare(ends.target)  # a database like any other


def test_a_json_null_and_no_value_stay_two_things(ends: Ends) -> None:
    column = TABLES["devices"].c.capabilities
    change(ends.source, update(TABLES["devices"]).values(capabilities=JSON.NULL).where(column.is_(None)))

    ends.move()

    as_text = select(func.count()).where(cast(column, SqlText) == "null")
    for each in (ends.source, ends.target):
        with each.connect() as connection:
            assert connection.execute(as_text).scalar_one() == 1


def test_json_in_a_file_is_found_by_what_looks_for_it_in_ascii(
    postgresql_databases: Databases, sqlite_databases: Databases
) -> None:
    with (
        postgresql_databases.migrated() as from_url,
        sqlite_databases.migrated() as to_url,
        opened(from_url) as source,
        opened(to_url) as target,
    ):
        odd.fill(source)
        Ends(source, target).move()
        with target.connect() as connection:
            kept = connection.exec_driver_sql("SELECT value FROM context_memory").scalars().all()
    assert any("\\u00e9" in str(each) for each in kept)
    assert all(str(each).isascii() for each in kept)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**63 + 1, -(2**70), 1.5, 1e300])
def test_a_lone_number_is_kept_as_well_as_the_other_database_can(ends: Ends, number: float) -> None:
    memory = TABLES["context_memory"]
    change(ends.source, update(memory).values(value=number))
    with ends.source.connect() as connection:
        before = connection.execute(select(memory.c.value).limit(1)).scalar_one()

    copied = ends.move()

    with ends.target.connect() as connection:
        after = set(connection.execute(select(memory.c.value)).scalars())
    if copied.entries["context_memory"].changed:
        assert ({odd.by_value(each) for each in after}, before) == ({odd.by_value(float(number))}, number)
        assert ends.target.dialect.name == SQLITE
    else:
        assert {odd.by_value(each) for each in after} == {odd.by_value(before)}


def test_what_a_server_cannot_keep_to_the_letter_is_made_fit_and_counted(to_server: Ends) -> None:
    device = {"id": "1", "device_id": "a\0b", "registered_at": NOON, "updated_at": NOON}
    nothing: dict[str, Any] = {
        "aliases": [],
        "tags": [],
        "groups": [],
        "policy": "assist",
        "adopt_first": False,
    }
    event = {
        "id": "e",
        "device_id": "x",
        "event_type": "t",
        "severity": "s",
        "created_at": NOON,
        "received_at": NOON,
    }
    change(to_server.source, insert(TABLES["devices"]).values(**device, **nothing, status="online"))
    odd_data = {"nul\0": "\0", "half": "\ud800", "none": float("nan"), "most": [float("-inf")], "pair": "🙂"}
    for number, data in enumerate([odd_data, {"path": "C:\\u0000 NaN"}]):
        row = {**event, "id": f"e{number}", "data": data, "acknowledged": False, "resolved": False}
        change(to_server.source, insert(TABLES["events"]).values(row))

    copied = to_server.move()

    changed = {name: entry.changed for name, entry in copied.entries.items() if entry.changed}
    assert changed == {"devices": 1, "events": 1}
    rows = odd.contents(to_server.target)
    assert rows["devices"][0]["device_id"] == "a␀b"
    fit = {"nul␀": "␀", "half": "\\ud800", "none": "nan", "most": ["-inf"], "pair": "🙂"}
    assert [row["data"] for row in rows["events"]] == [fit, {"path": "C:\\u0000 NaN"}]


def test_the_audit_still_holds_and_goes_on(ends: Ends) -> None:
    change(ends.source, delete(TABLES["audit_log"]))
    with Session(ends.source) as session, session.begin():
        for name in ("one", "two\0", "three"):
            audit.record(session, name, now=NOON, detail={"é": [1e22, 0.5, None], name: name})

    ends.move()

    with Session(ends.target) as session, session.begin():
        audit.record(session, "four", now=NOON)
    (chain,) = proof.walk(proof.Stored(lambda: Session(ends.target)), [], believed=frozenset())
    assert (chain.rows, chain.fault) == (4, None)


def test_new_rows_are_numbered_behind_those_that_came_with_a_number(ends: Ends) -> None:
    ends.move()

    row = {"username": "new", "request_id": "r", "seq": 0, "payload": ""}
    with ends.target.begin() as connection:
        numbered = insert(TABLES["mqtt_responses"]).returning(TABLES["mqtt_responses"].c.number)
        assert connection.execute(numbered, row).scalar_one() == odd.ROWS + 1


def test_killed_behind_every_batch_it_ends_the_same(ends: Ends) -> None:
    environment = os.environ | {"FROM": ends.url(ends.source), "TO": ends.url(ends.target)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.controller.store.mover", "3"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(TABLES) * odd.ROWS // 3 + 1
    assert odd.contents(ends.target) == odd.contents(ends.source)


def test_a_move_that_ended_before_it_was_compared_goes_on_there(ends: Ends) -> None:
    ends.copy()

    ends.move()

    assert odd.contents(ends.target) == odd.contents(ends.source)
    with pytest.raises(moving.NotEmpty):
        ends.copy()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE messages SET tokens_used = 4711 WHERE number = 2",
            "not every one of the 6 rows of messages",
        ),
        ("UPDATE messages SET content = content || ' ' WHERE number = 2", "the 6 rows of messages"),
        ("UPDATE messages SET tool_calls = NULL WHERE number = 2", "the 6 rows of messages"),
        (
            "UPDATE metrics SET at = '2026-02-12 12:00:00.000001+00' WHERE seconds = 1",
            "the 6 rows of metrics",
        ),
        ("DELETE FROM messages WHERE number = 2", "messages has 5 rows and not 6"),
        (
            "INSERT INTO users SELECT 'mia', role, added_by, added_at FROM users LIMIT 1",
            "users has 7 rows and not 6",
        ),
    ],
)
def test_a_row_that_somebody_changed_in_the_target_is_found(ends: Ends, statement: str, said: str) -> None:
    copied = ends.copy()
    change(ends.target, text(statement))

    with pytest.raises(moving.Different, match=said):
        moving.check(ends.target, copied.entries, tell=quiet)


@contextmanager
def stopped_in(ends: Ends, table: str) -> Iterator[None]:
    """A move that broke off behind the first batch of this table."""

    def tell(which: str, _rows: int) -> None:
        if which == table:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ends.copy(tell)
    yield


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE users SET role = 'x' WHERE username LIKE '0%'", "users holds other rows"),
        ("DELETE FROM metrics WHERE seconds = 1", "metrics had 6 rows and has 5"),
    ],
)
def test_a_source_that_changed_meanwhile_is_not_mixed_with_what_it_was(
    ends: Ends, statement: str, said: str
) -> None:
    last = METADATA.sorted_tables[-1].name
    with stopped_in(ends, last):
        change(ends.source, text(statement))

    with pytest.raises(moving.SourceChanged, match=said):
        ends.copy()


def test_a_target_in_the_middle_of_a_move_is_nobodys_database(ends: Ends) -> None:
    with stopped_in(ends, "users"):
        pass

    with pytest.raises(Unfinished, match="run the same `orion db move` again"):
        migrate.prepare(ends.target)
    with pytest.raises(Unfinished):
        moving.check_source(ends.target)


def test_of_two_that_move_at_once_one_goes_on(ends: Ends) -> None:
    done: list[moving.Copied] = []

    def tell(_table: str, _rows: int) -> None:
        if not done:
            done.append(ends.copy())  # a second one, which finds an unfinished move

    with pytest.raises(Overtaken):
        ends.copy(tell)

    (copied,) = done
    moving.check(ends.target, copied.entries, tell=quiet)
    moving.finish(ends.target, run=copied.run)
    assert odd.contents(ends.target) == odd.contents(ends.source)


def test_a_target_with_rows_is_left_alone(ends: Ends) -> None:
    migrate.upgrade(ends.target)
    change(ends.target, insert(TABLES["users"]).values(a_user(1)))

    with pytest.raises(moving.NotEmpty, match="rows already, in users"):
        ends.copy()
    with ends.target.connect() as connection:
        assert not ledger.is_open(connection)


def test_a_target_with_tables_of_others_is_left_alone(ends: Ends) -> None:
    change(ends.target, text("CREATE TABLE theirs (x INTEGER)"))

    with pytest.raises(moving.NotEmpty, match="tables that Orion did not make"):
        ends.copy()


def test_an_older_schema_is_to_be_brought_up_to_date_first(ends: Ends) -> None:
    command.upgrade(migrate.configuration(ends.target), "0008")
    with pytest.raises(moving.OtherSchema, match=r"The target has the schema 0008.*orion db migrate"):
        ends.copy()
    with pytest.raises(moving.OtherSchema, match=r"that is to be moved has the schema 0008"):
        moving.check_source(ends.target)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{' WHERE created_at = (SELECT max(created_at) FROM events)",
        "UPDATE events SET created_at = 'noon' WHERE created_at = (SELECT max(created_at) FROM events)",
        "UPDATE events SET event_type = x'ff00' WHERE created_at = (SELECT max(created_at) FROM events)",
    ],
)
def test_a_row_that_is_damaged_is_said(to_server: Ends, statement: str) -> None:
    odd.fill(to_server.source)
    change(to_server.source, text(statement))

    with pytest.raises(moving.Damaged, match="A row of events is damaged"):
        to_server.copy()


async def test_a_full_disk_ends_a_move_that_goes_on_once_there_is_room(
    tmp_path: Path, postgresql_databases: Databases
) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        with postgresql_databases.migrated() as url:
            source = await asyncio.to_thread(engine.writer, url)
            target = await asyncio.to_thread(engine.writer, engine.sqlite_url(disk.path / "orion.db"))
            ends = Ends(source, target)
            await asyncio.to_thread(
                change, source, insert(TABLES["users"]).values([a_user(n) for n in range(9)])
            )
            await asyncio.to_thread(migrate.upgrade, target)
            await asyncio.to_thread(engine.empty_log, target)
            await disk.fill()
            with pytest.raises(moving.TargetUnusable, match="full"):
                await asyncio.to_thread(ends.move)
            await disk.free()
            await asyncio.to_thread(ends.move)
            after, before = [await asyncio.to_thread(odd.contents, each) for each in (target, source)]
            source.dispose()
            target.dispose()
    assert after == before

"""What arrives is what was there, to the letter where the other database can keep it so."""

from typing import Any

import pytest
from sqlalchemy import JSON, cast, delete, func, insert, select, update
from sqlalchemy import Text as SqlText
from sqlmodel import Session

from controller.services import audit, proof
from controller.store import migrate
from controller.store.tables import METADATA
from tests.controller.store.moving import odd
from tests.controller.store.moving.ends import Ends, change, opened
from tests.databases import SQLITE, Databases
from tests.factories import NOON

TABLES = METADATA.tables


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

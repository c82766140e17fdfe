"""Rows a second in batches of one size: through the services, by SQLAlchemy Core, and by the bare driver.

All three write the same rows in the same run, in turns, each into a migrated database of its own. A
submit also decides, and a settle moves what is there: they stand beside Core inserting what they leave.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Engine, event, insert, select, text
from sqlmodel import Session

from bench.figures import Figure, Spread
from bench.store.filling import BEGUN, BUSY, an_event
from controller.services import commands, devices, events, settling
from controller.services.events import Arrival
from controller.store import engine as engines
from controller.store import upserts
from controller.store.store import Store
from controller.store.tables import METADATA
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_reply, a_request

BATCH, BATCHES, TURNS = 100, 30, 3
ORDERS = 10  # batches of commands, which take longer
GOAL = 0.5  # of Core

Rows = list[dict[str, Any]]
Batches = Sequence[Sequence[tuple[str, Rows]]]  # per transaction: rows by table
Work = Callable[[Engine], None]

_EVENTS, _EXECUTIONS, _AUDIT = "events", "tool_executions", "audit_log"


async def measure(databases: Databases) -> list[Figure]:
    """Events, executions by themselves, and the whole way of a command."""
    of_events = await asyncio.to_thread(_beside, databases, _event_batches(), _store_events)
    submitted, settled, left = await _commands(databases)
    of_rows: Batches = [[(_EXECUTIONS, rows)] for rows in _cut(left[_EXECUTIONS])]
    of_executions = await asyncio.to_thread(_beside, databases, of_rows, partial(_store_rows, of_rows))
    decided: Batches = [
        [(_EXECUTIONS, rows), (_AUDIT, noted)]
        for rows, noted in zip(_cut(left[_EXECUTIONS]), _cut(left["decisions"]), strict=True)
    ]
    ended: Batches = [[(_AUDIT, noted)] for noted in _cut(left["ends"])]
    of_submits = await asyncio.to_thread(_beside, databases, decided, None)
    of_settles = await asyncio.to_thread(_beside, databases, ended, None)
    name = databases.kind
    return [
        _figure(f"{name}: events a second, batches of {BATCH} (store_all)", *of_events, is_goal=True),
        _figure(
            f"{name}: executions a second, batches of {BATCH} (insert_new)", *of_executions, is_goal=True
        ),
        _figure(f"{name}: commands submitted a second, {BATCH} in a transaction", submitted, *of_submits[1:]),
        _figure(f"{name}: commands settled a second, {BATCH} in a transaction", settled, *of_settles[1:]),
    ]


def _figure(
    what: str, ours: list[float], core: list[float], bare: list[float], *, is_goal: bool = False
) -> Figure:
    ratio = Spread.of(ours).median / Spread.of(core).median
    return Figure(
        what,
        Spread.of(ours).said("/s"),
        f"Core {Spread.of(core).said('/s')}, driver {Spread.of(bare).said('/s')}",
        ratio,
        f"ratio to Core over {GOAL:g}" if is_goal else "told beside Core inserting the same rows",
        ratio > GOAL if is_goal else None,
    )


def _beside(
    databases: Databases, batches: Batches, ours: Work | None
) -> tuple[list[float], list[float], list[float]]:
    """Rows a second: ours, Core's, the driver's; rows are those of the first table of each batch."""
    statements = _statements(databases, batches)
    works: list[tuple[list[float], Work]] = [
        ([], partial(_by_core, batches)),
        ([], partial(_by_driver, statements)),
    ]
    if ours is not None:
        works.insert(0, ([], ours))
    for _ in range(TURNS):
        for samples, work in works:
            samples.append(BATCH * len(batches) / _took(databases, work))
    found = [samples for samples, _ in works]
    return (found[0], found[1], found[2]) if ours is not None else ([], found[0], found[1])


def _took(databases: Databases, work: Work) -> float:
    with databases.migrated() as url:
        writer = engines.writer(url)
        with writer.connect() as connection:
            connection.execute(text("SELECT 1"))  # connecting is not what is measured
        begun = time.perf_counter()
        work(writer)
        took = time.perf_counter() - begun
        writer.dispose()
    return took


def _event_batches() -> Batches:
    return [
        [(_EVENTS, [events.row_of(Arrival(BUSY, an_event(), BEGUN)) for _ in range(BATCH)])]
        for _ in range(BATCHES)
    ]


def _store_events(writer: Engine) -> None:
    arrivals = [[Arrival(BUSY, an_event(), BEGUN) for _ in range(BATCH)] for _ in range(BATCHES)]
    for batch in arrivals:
        with Session(writer, expire_on_commit=False) as session, session.begin():
            events.store_all(session, batch)


def _store_rows(batches: Batches, writer: Engine) -> None:
    for batch in batches:
        with Session(writer, expire_on_commit=False) as session, session.begin():
            for table, rows in batch:
                upserts.insert_new(session.connection(), METADATA.tables[table], rows)


def _by_core(batches: Batches, writer: Engine) -> None:
    for batch in batches:
        with writer.begin() as connection:
            for table, rows in batch:
                connection.execute(insert(METADATA.tables[table]), rows)


def _by_driver(statements: Sequence[Sequence[tuple[str, Any]]], writer: Engine) -> None:
    with closing(writer.raw_connection()) as connection:
        cursor: Any = connection.cursor()
        for batch in statements:
            if writer.dialect.name == engines.SQLITE:
                cursor.execute("BEGIN IMMEDIATE")
            for statement, parameters in batch:
                cursor.executemany(statement, parameters)
            connection.commit()


def _statements(databases: Databases, batches: Batches) -> list[list[tuple[str, Any]]]:
    """What Core says to the driver for these rows."""
    found: list[list[tuple[str, Any]]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith("INSERT"):
            found[-1].append((statement, parameters))

    with databases.migrated() as url:
        writer = engines.writer(url)
        event.listen(writer, "before_cursor_execute", note)
        for batch in batches:
            found.append([])
            _by_core([batch], writer)
        writer.dispose()
    return found


async def _commands(databases: Databases) -> tuple[list[float], list[float], dict[str, Rows]]:
    """Commands a second through the store's writer, submitted and settled, and the rows that this left."""
    submitted: list[float] = []
    settled: list[float] = []
    left: dict[str, Rows] = {}
    for _ in range(TURNS):
        with databases.migrated() as url:
            store = await asyncio.to_thread(Store, url)
            await asyncio.to_thread(store.open)
            await store.write(_place)
            ids: list[list[str]] = []
            begun = time.perf_counter()
            for _ in range(ORDERS):
                submit = partial(commands.submit, request=a_request(), actor=ADMIN, now=NOON)
                rows = await store.write_all([submit] * BATCH)
                ids.append([row.id for row in rows if not isinstance(row, Exception)])
            submitted.append(BATCH * ORDERS / (time.perf_counter() - begun))
            left = await store.read(_left)
            begun = time.perf_counter()
            for batch in ids:
                replies = [a_reply(each, result={"path": "Test"}, duration_ms=1.5) for each in batch]
                settle = [
                    partial(settling.settle, device_id="laptop", reply=each, now=NOON + timedelta(seconds=1))
                    for each in replies
                ]
                await store.write_all(settle)
            settled.append(BATCH * ORDERS / (time.perf_counter() - begun))
            left["ends"] = [each for each in (await store.read(_left))["noted"] if _is(each, "command.")]
            left["decisions"] = [each for each in left["noted"] if _is(each, "decision.")]
            await asyncio.to_thread(store.close)
    return submitted, settled, left


def _place(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    devices.store_profile(session, "laptop", a_profile(), now=NOON)
    devices.store_presence(session, "laptop", a_presence(), now=NOON)


def _left(session: Session) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for name, table in ((_EXECUTIONS, _EXECUTIONS), ("noted", _AUDIT)):
        rows = session.connection().execute(select(METADATA.tables[table])).mappings()
        found[name] = [dict(row) for row in rows]
    return found


def _is(row: dict[str, Any], beginning: str) -> bool:
    return str(row["action"]).startswith(beginning)


def _cut(rows: Rows) -> list[Rows]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]

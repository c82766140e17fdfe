"""Finding words among a million rows, on both databases, and what that costs whoever writes them.

Alone: `python -m bench.searching --rows 100000`. The baseline asks the index by the bare driver, for
the word as it was typed and in the way that comes to mind: what holds it, the newest first.
"""

import argparse
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
from alembic import command
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, insert
from sqlmodel import Session

from bench.databases import on_disk
from bench.figures import Figure, percentile
from controller.services import audit, events, search
from controller.services.actors import Actor, Role
from controller.services.events import Arrival
from controller.store import engine as engines
from controller.store import migrate
from controller.store.fulltext.tables import INDEXES
from controller.store.tables import METADATA
from schemas.commands import Via
from schemas.events import Event
from tests.chance import repeatable
from tests.databases import POSTGRESQL, SQLITE

ROWS = 1_000_000
GOAL = 50.0  # milliseconds
ROUNDS, FEW = 30, 5
PATIENT = 1.0  # seconds; what takes longer is asked a few times only
BATCH, BATCHES = 100, 30  # rows written in one transaction, and how many of those
PAGE = 20
KINDS = (SQLITE, POSTGRESQL)
ACTOR = Actor("bench", Role.ADMIN, Via.API)
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
CASES = {
    "a rare word": "zeldzaam",
    "a word of half of all rows": "settled",
    "a word of every row": "laptop",
    "a word of the older half only": "vroeger",
    "two words of half of all, never together": "settled submitted",
    "a rare word and a common one": "settled zeldzaam",
    "a word that is nowhere": "nergens",
}


def measure(rows: int = ROWS, kinds: Sequence[str] = KINDS) -> list[Figure]:
    """The lines of the table."""
    figures: list[Figure] = []
    for kind in kinds:
        with on_disk(kind) as made, made.empty() as url:
            writer = engines.writer(url)
            figures += _one(kind, writer, rows)
            writer.dispose()
    return figures


def _one(kind: str, writer: Engine, rows: int) -> list[Figure]:
    command.upgrade(migrate.configuration(writer), "0009")
    _fill(writer, rows)
    begun = time.perf_counter()
    migrate.upgrade(writer)
    took = time.perf_counter() - begun
    found = [Figure(f"{kind}: indexing {rows:,} rows at the upgrade", f"{took:.0f} s")]
    each_alike: list[float] = []
    for name, text in CASES.items():
        figure, spent = _asked(kind, writer, name, text)
        found.append(figure)
        each_alike += spent[:FEW]
    found.append(_figure(f"{kind}: one of these seven", each_alike))
    for name, write in (("audit rows", _audit), ("events", _events)):
        found.append(_written(kind, writer, name, write))
    return found


def _fill(writer: Engine, rows: int) -> None:
    """Half audit, the rest events and messages, of some words that are common and many that are not."""
    chance = repeatable(1)
    rare = {chance.randrange(rows) for _ in range(10)}
    with writer.begin() as connection:
        tables = METADATA.tables
        talk = {"id": "talk", "user": "bench", "started_at": BEGUN, "is_active": True}
        connection.execute(insert(tables["sessions"]), talk | {"message_count": 0, "tool_execution_count": 0})
        for first in range(0, rows, 10_000):
            batch: dict[str, list[dict[str, Any]]] = {"audit_log": [], "events": [], "messages": []}
            for number in range(first, min(rows, first + 10_000)):
                words = _words(chance, old=number < rows // 2, rare=number in rare)
                _put(batch, number, words)
            for name, some in batch.items():
                if some:
                    connection.execute(insert(tables[name]), some)


def _words(chance: random.Random, *, old: bool, rare: bool) -> str:
    picked = [f"w{min(20_000, int(chance.expovariate(1 / 800)))}" for _ in range(10)]
    picked += ["vroeger"] if old else []
    picked += ["zeldzaam"] if rare else []
    return " ".join(picked)


def _put(batch: dict[str, list[dict[str, Any]]], number: int, words: str) -> None:
    at = BEGUN + timedelta(seconds=number)
    state = "settled" if number % 4 < 2 else "submitted"
    if number % 2 == 0:
        batch["audit_log"].append(
            {
                "at": at,
                "actor": "bench",
                "via": "api",
                "action": f"command.{state}",
                "device_id": "laptop",
                "detail": {"note": words},
            }
        )
    elif number % 8 == 1:
        batch["messages"].append(
            {
                "id": f"m{number}",
                "session_id": "talk",
                "role": "user",
                "content": f"laptop {state} {words}",
                "created_at": at,
            }
        )
    else:
        batch["events"].append(
            {
                "id": f"e{number}",
                "device_id": "laptop",
                "event_type": f"job_{state}",
                "severity": "warning",
                "data": {"note": words},
                "acknowledged": False,
                "resolved": False,
                "created_at": at,
                "received_at": at,
            }
        )


def _asked(kind: str, writer: Engine, name: str, text: str) -> tuple[Figure, list[float]]:
    with Session(writer, expire_on_commit=False) as session, session.begin():
        query = search.Query(text)

        def ours() -> int:
            session.expunge_all()
            return len(search.find(session, query, actor=ACTOR, now=BEGUN, limit=PAGE).hits)

        spent, hits = _milliseconds(ours)
    with _bare(kind, writer) as ask:
        bare, _ = _milliseconds(lambda: ask(text.split()))
    return _figure(f"{kind}: {name} ({hits} shown)", spent, percentile(bare, 50)), spent


def _figure(what: str, spent: Sequence[float], beside: float | None = None) -> Figure:
    median, often = percentile(spent, 50), percentile(spent, 95)
    return Figure(
        what,
        f"p50 {median:.3g}, p95 {often:.3g} ms",
        "" if beside is None else f"bare driver p50 {beside:.3g} ms",
        None if beside is None else median / beside,
        f"p50 under {GOAL:.0f} ms",
        median < GOAL,
    )


def _milliseconds(work: Callable[[], int]) -> tuple[list[float], int]:
    samples: list[float] = []
    found = 0
    while len(samples) < (ROUNDS if sum(samples) < PATIENT * 1e3 else FEW):
        begun = time.perf_counter()
        found = work()
        samples.append((time.perf_counter() - begun) * 1e3)
    return samples, found


@contextmanager
def _bare(kind: str, writer: Engine) -> Iterator[Callable[[Sequence[str]], int]]:
    """The index by its driver alone, without forms, rights or rows: how many of a page it finds."""
    if kind == "sqlite":
        with closing(sqlite3.connect(str(writer.url.database))) as file:
            newest = "SELECT rowid FROM @ WHERE @ MATCH ? ORDER BY rowid DESC LIMIT 21"
            queries = [newest.replace("@", index.name) for index in INDEXES]

            def ask(words: Sequence[str]) -> int:
                asked = " AND ".join(f'"{word}"' for word in words)
                found = [row for query in queries for row in file.execute(query, (asked,))]
                return len(sorted(found, reverse=True)[:21])

            yield ask
        return
    address = writer.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as server:
        newest = (
            "SELECT number FROM search WHERE words @@ %s::tsquery AND kind <> 'memory' "
            "ORDER BY number DESC LIMIT 21"
        )
        yield lambda words: len(
            server.execute(newest, (" & ".join(f"'{word}'" for word in words),)).fetchall()
        )


Writing = Callable[[Session, Iterator[int]], None]


def _written(kind: str, writer: Engine, name: str, write: Writing) -> Figure:
    numbers = count(int(time.time() * 1_000))
    paces: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(3):
        for is_found, some in paces.items():
            _hang(kind, writer, on=is_found)
            begun = time.perf_counter()
            for _ in range(BATCHES):
                with Session(writer) as session, session.begin():
                    write(session, numbers)
            some.append(BATCH * BATCHES / (time.perf_counter() - begun))
    _hang(kind, writer, on=True)
    ours, without = percentile(paces[True], 50), percentile(paces[False], 50)
    return Figure(
        f"{kind}: {name} written, {BATCH} in a transaction",
        f"{ours:,.0f}/s, {1e6 / ours:.0f} µs each",
        f"without search {without:,.0f}/s, {1e6 / without:.0f} µs each",
        ours / without,
    )


def _audit(session: Session, numbers: Iterator[int]) -> None:
    for _ in range(BATCH):
        detail: dict[str, Any] = {"command": f"c{next(numbers)}", "status": "succeeded", "took_ms": 12}
        audit.record(session, "command.settled", now=BEGUN, device_id="laptop", detail=detail)


def _events(session: Session, numbers: Iterator[int]) -> None:
    arrivals = []
    for _ in range(BATCH):
        said = {"id": f"n{next(numbers)}", "type": "low_disk_space", "severity": "warning", "at": BEGUN}
        event = Event.model_validate(said | {"data": {"path": "/home", "percent": 93}}, strict=False)
        arrivals.append(Arrival("laptop", event, BEGUN))
    events.store_all(session, arrivals)


_TAKEN: dict[str, list[str]] = {}


def _hang(kind: str, writer: Engine, *, on: bool) -> None:
    """Take the triggers of search away, or hang them on again."""
    with writer.begin() as connection:
        run = connection.exec_driver_sql
        if kind == "postgresql":
            for table in ("audit_log", "events"):
                run(f"ALTER TABLE {table} {'ENABLE' if on else 'DISABLE'} TRIGGER search_of_{table}")
            return
        kept = _TAKEN.setdefault(str(writer.url.database), [])
        for statement in kept if on else ():
            run(statement)
        kept.clear()
        if not on:
            rows = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
            for name, statement in rows:
                run(f"DROP TRIGGER {name}")
                kept.append(statement)


def main() -> None:
    """Measure, and print the lines."""
    parser = argparse.ArgumentParser(prog="bench.searching", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="among how many rows")
    parser.add_argument("--only", choices=KINDS, action="append", help="not both databases")
    wanted = parser.parse_args()
    table = Table("what", "value", "baseline, same run", "ratio", "goal")
    for each in measure(wanted.rows, wanted.only or KINDS):
        mark = "" if each.met is None else (" ✓" if each.met else " ✗")
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        table.add_row(each.what, each.value, each.baseline, ratio, each.goal + mark)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()

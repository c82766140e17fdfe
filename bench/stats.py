"""Figures of a million commands, beside counting the same rows with the bare driver."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import Session

from bench.databases import on_disk
from bench.figures import Figure, Spread
from controller.services import stats
from controller.services.stats import Window
from controller.store import engine
from controller.store.tables import METADATA
from schemas.ids import new_id
from tests.chance import repeatable
from tests.databases import POSTGRESQL, SQLITE

ROWS, AT_ONCE = 1_000_000, 10_000
DEVICES, TOOLS, MESSAGES = 1_000, 40, 200
SPAN = timedelta(days=90)
GOAL = 1.0  # s
REPEATS = 5
ENDS = {
    "succeeded": 85,
    "failed": 8,
    "rejected": 1,
    "expired": 2,
    "denied": 2,
    "cancelled": 1,
    "interrupted": 1,
}
LAYERS = ("device", "tool", "role", "whitelist", "arguments", "paths", "apps", "risk")
NOW = datetime(2026, 2, 12, 12, tzinfo=UTC)
COUNT = "SELECT count(*) FROM tool_executions WHERE finished_at IS NOT NULL"

Counting = Callable[[Session, Window], object]
COUNTINGS: tuple[tuple[str, Counting], ...] = (
    ("tools", stats.usage),
    ("tools of one device", lambda session, window: stats.usage(session, window, device_id="device-0")),
    ("devices", lambda session, window: stats.activity(session, window, limit=20)),
    ("failures", stats.failures),
)


def measure() -> list[Figure]:
    """Both databases. Filling them takes minutes."""
    return [each for kind in (SQLITE, POSTGRESQL) for each in _of(kind)]


def _of(kind: str) -> Iterator[Figure]:
    with on_disk(kind) as databases, databases.migrated() as url:
        writer, reader = engine.writer(url), engine.reader(url)
        _fill(writer)
        with writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE" if kind == SQLITE else "VACUUM ANALYZE")
        bare = _timed(
            reader, lambda session, _window: session.connection().exec_driver_sql(COUNT).all(), SPAN
        )
        for days in (30, 90):
            for what, counting in COUNTINGS:
                ours = _timed(reader, counting, timedelta(days=days))
                yield Figure(
                    f"{what}, {days} days of {ROWS} commands in 90, {kind}",
                    ours.said("s"),
                    f"bare count of all {bare.said('s')}",
                    ours.median / bare.median,
                    f"under {GOAL:.0f} s",
                    ours.median < GOAL,
                )
        writer.dispose()
        reader.dispose()


def _timed(reader: Engine, counting: Counting, length: timedelta) -> Spread:
    samples = []
    for _ in range(REPEATS):
        with Session(reader) as session:
            begun = time.perf_counter()
            counting(session, Window(NOW - length, NOW))
            samples.append(time.perf_counter() - begun)
    return Spread.of(samples)


def _fill(writer: Engine) -> None:
    chance = repeatable(1)
    commands = insert(METADATA.tables["tool_executions"])
    for begin in range(0, ROWS, AT_ONCE):
        rows = [_row(chance, number / ROWS) for number in range(begin, begin + AT_ONCE)]
        with writer.begin() as connection:
            connection.execute(commands, rows)


def _row(chance: random.Random, when: float) -> dict[str, Any]:
    """One command, of a device and a tool of which some are far busier than others."""
    at = NOW - SPAN * (1 - when)
    (status,) = chance.choices(list(ENDS), list(ENDS.values()))
    good = status == "succeeded"
    return {
        "id": new_id(),
        "device_id": f"device-{int(DEVICES * chance.random() ** 2)}",
        "tool_name": f"tool_{int(TOOLS * chance.random() ** 3)}",
        "parameters": {"path": "/srv/files/somewhere"},
        "dry_run": False,
        "requested_by": "admin",
        "role": "admin",
        "via": "cli",
        "trace_id": new_id(),
        "decision": "allow",
        "reasons": ["it may be used"],
        "layers": [{"name": name, "verdict": "allow", "reason": f"the {name} allows it"} for name in LAYERS],
        "risk": "low",
        "when_online": False,
        "status": status,
        "success": good,
        "result": {"created": True, "path": "/srv/files/somewhere"} if good else None,
        "error_message": None if good else f"It broke in the way {int(MESSAGES * chance.random() ** 4)}.",
        "attempt": 1,
        "timeout_s": 30.0,
        "valid_s": 60.0,
        "issued_at": at,
        "expires_at": at + timedelta(seconds=60),
        "executed_at": at,
        "finished_at": at,
        "duration_ms": chance.expovariate(0.05) if good else None,
    }

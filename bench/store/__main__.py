"""`make bench-store`: the store on both databases, one table. `--rows` makes it smaller, `--only` is one database.

PostgreSQL is one of its own that does not flush, as the tests start it; SQLite flushes as it does in use.
"""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import os
import sys
import time

from rich.console import Console
from rich.table import Table

from bench.databases import on_disk
from bench.figures import Figure
from bench.store import cleaning, filling, inserting, listing
from controller.store import engine as engines
from tests.databases import POSTGRESQL, SQLITE

ROWS = 1_000_000
SEARCHING = "bench.searching"  # its `measure(rows)` covers both databases

console = Console(stderr=True)


def _of(kind: str, rows: int, *, inserts: bool) -> list[Figure]:
    figures: list[Figure] = []
    with on_disk(kind) as databases:
        if inserts:
            with console.status(f"{kind}: inserting"):
                figures += asyncio.run(inserting.measure(databases))
        with databases.migrated() as url:
            writer, (reader, asker) = engines.writer(url), engines.readers(url)
            with console.status(f"{kind}: making {rows:,} rows of each"):
                begun = time.perf_counter()
                filling.fill(writer, rows)
                console.print(f"{kind}: filled in {time.perf_counter() - begun:.0f} s")
            with console.status(f"{kind}: turning pages"):
                figures += listing.measure(reader, asker, rows, kind)
            reader.dispose()
            writer.dispose()
            with console.status(f"{kind}: cleaning"):
                figures += asyncio.run(cleaning.measure(url, kind))
    return figures


def _searched(rows: int) -> list[Figure]:
    if importlib.util.find_spec(SEARCHING) is None:
        return []
    with console.status("Searching"):
        found: list[Figure] = importlib.import_module(SEARCHING).measure(rows)
    return found


def table(figures: list[Figure]) -> Table:
    """What was measured, beside what, and whether the goal was met."""
    drawn = Table("what", "value", "baseline, same run", "ratio", "goal", "")
    for figure in figures:
        mark = "" if figure.met is None else ("met" if figure.met else "MISSED")
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        drawn.add_row(figure.what, figure.value, figure.baseline, ratio, figure.goal, mark)
    return drawn


def main() -> int:
    """Measure everything; the exit code says only whether it could be measured."""
    parser = argparse.ArgumentParser(prog="bench.store", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="executions, events and audit rows, each")
    parser.add_argument("--only", choices=(SQLITE, POSTGRESQL), help="one database, and no search")
    parser.add_argument("--no-inserts", action="store_true", help="lists and cleaning alone")
    wanted = parser.parse_args()
    if wanted.rows < 1_000:
        parser.error("--rows: at least 1000")
    gc.collect()
    gc.freeze()  # as a controller does when it is ready
    figures: list[Figure] = []
    for kind in (wanted.only,) if wanted.only else (SQLITE, POSTGRESQL):
        figures += _of(kind, wanted.rows, inserts=not wanted.no_inserts)
    figures += [] if wanted.only else _searched(wanted.rows)
    out = Console(width=None if sys.stdout.isatty() else 190)
    out.print(table(figures))
    missed = [figure.what for figure in figures if figure.met is False]
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    out.print(
        f"{len(missed)} goals missed. Load {load:.1f} on {cores} cores: above {cores} all times are too long."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

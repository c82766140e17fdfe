"""`python -m tests.faults`: the long run, its seed, and its verdict as the exit code."""

import argparse
import asyncio
import dataclasses
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.databases import POSTGRESQL, SQLITE, databases_of
from tests.faults import plan as plans
from tests.faults import report
from tests.faults.campaign import Outcome, carry_out
from tests.faults.plan import Plan
from tests.faults.sabotage import SABOTAGES
from tests.faults.zygote import zygote

RED, LESS = 1, 3  # exit codes


def main() -> int:
    """Run, print, and say 0 for green; LESS for one that is green and did too little, as on a slow machine."""
    wanted = _arguments()
    console = Console(stderr=True)
    seed = secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed
    size = plans.SHORT if wanted.short else plans.LONG
    if wanted.sabotage:
        size = dataclasses.replace(plans.PROBE, only=SABOTAGES[wanted.sabotage].points)
    plan = plans.make(seed, size)
    folder = Path(tempfile.mkdtemp(prefix="orion-faults-"))
    console.print(f"Seed {seed}: {plan.kills} kills are planned, at {folder}")
    columns = (TextColumn("killed"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("killed", total=plan.kills)
        with _server() if wanted.database == POSTGRESQL else nullcontext(None) as url:
            outcome = asyncio.run(_run(plan, folder, url, wanted.sabotage, lambda: progress.advance(task)))
    text = report.of(outcome)
    console.print(text, markup=False, highlight=False)
    missing = report.missing(outcome) if size is plans.LONG else []
    for sentence in missing:
        console.print(f"Less than a long run owes: {sentence}", markup=False)
    if wanted.write and not missing:
        report.write(outcome)
    if outcome.judgement.green:
        shutil.rmtree(folder)
        return LESS if missing else 0
    again = " ".join(sys.argv[1:]) if wanted.seed is not None else f"{' '.join(sys.argv[1:])} --seed {seed}"
    console.print(f"RED. Again with: python -m tests.faults {again}; what is left is in {folder}")
    return RED


@contextmanager
def _server() -> Iterator[str]:
    with databases_of(POSTGRESQL, Path()) as made, made.migrated() as url:
        yield url


async def _run(
    plan: Plan, folder: Path, database: str | None, sabotage: str | None, died: Callable[[], None]
) -> Outcome:
    async with zygote() as driver:
        return await carry_out(driver, plan, folder, database=database, sabotage=sabotage, died=died)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="the plan of an earlier run; drawn when not given")
    parser.add_argument("--short", action="store_true", help="the form that is inside make test")
    parser.add_argument(
        "--database", choices=(SQLITE, POSTGRESQL), default=SQLITE, help="the kind of the controller's"
    )
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="break one pillar: it must go red")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

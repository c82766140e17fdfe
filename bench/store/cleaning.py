"""How long a cleaning of old rows really holds the writer at a time, its commit included."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from bench.figures import Figure, percentile
from bench.store.filling import BEGUN
from controller.cleaner import LONGEST, Cleaner
from controller.services.retention import Keep
from controller.store.store import Session, Store

MUCH_LATER = BEGUN + timedelta(days=3_000)  # everything is old by then
FOR = 30.0  # seconds of one kind; what is not gone by then is not waited for
KINDS = {
    "commands": Keep(commands=timedelta(90), events=None, messages=None),
    "events": Keep(commands=None, events=timedelta(30), messages=None),
    "messages": Keep(commands=None, events=None, messages=timedelta(365)),
}

T = TypeVar("T")


class Watched(Store):
    """A store that notes how long each unit took, from its first statement until its caller knew of the commit."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.held: list[float] = []

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run one unit and note its time in ms."""
        begun = 0.0

        def begin_now(session: Session) -> T:
            nonlocal begun
            begun = time.perf_counter()
            return work(session)

        outcome = await super().write(begin_now)
        self.held.append((time.perf_counter() - begun) * 1e3)
        return outcome


async def measure(url: str, name: str) -> list[Figure]:
    """p50, p99 and most of the steps of each kind."""
    store = await asyncio.to_thread(Watched, url)
    await asyncio.to_thread(store.open)
    try:
        return [await _cleaned(store, f"{name}: cleaning {kind}", keep) for kind, keep in KINDS.items()]
    finally:
        await asyncio.to_thread(store.close)


async def _cleaned(store: Watched, what: str, keep: Keep) -> Figure:
    store.held.clear()
    cleaner = Cleaner(store, keep, now=lambda: MUCH_LATER)
    before = sum((await cleaner.count()).values())
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(FOR):
            await cleaner.clean()
    except TimeoutError:
        pass
    took = time.perf_counter() - begun
    gone = before - sum((await cleaner.count()).values())
    p50, p99, most = (percentile(store.held, percent) for percent in (50, 99, 100))
    return Figure(
        f"{what}, the writer held at a time: p50/p99/most",
        f"{p50:.1f}/{p99:.1f}/{most:.1f} ms",
        f"{gone:,} of {before:,} rows in {len(store.held)} steps, {gone / took:,.0f}/s",
        None,
        f"never over {LONGEST * 1e3:.0f} ms",
        most <= LONGEST * 1e3,
    )

"""The daily cleaning: what is kept no longer goes, a little at a time.

Between two steps everybody else has their turn. How long a step may delete follows from how long
the one before it held the writer, its commit included.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from time import perf_counter

from controller.services import audit, cuts, retention
from controller.services.actors import Actor
from controller.services.retention import Keep, Rule
from controller.store import space
from controller.store.store import Session, Store

logger = logging.getLogger(__name__)

LONGEST = 0.05  # seconds that one step may hold the writer
PAGES = 64  # of a file that are given back in a step: less than 10 ms
STEPS = 8  # of these; then the log is brought into the file, or a commit would have to, for 100 ms
AIM = LONGEST / 4  # seconds; now and then a step takes longer than the one before it let expect
LEAST = AIM / 20  # seconds of deleting in a step, however slow the disk is
GROWTH = 1.5  # from one step to the next at most
REST = 0.01  # seconds between two steps


class Cleaner:
    """Cleans one store; one cleaning at a time. `keys`: whose word it is that rows of the audit are archived."""

    def __init__(
        self,
        store: Store,
        keep: Keep,
        *,
        keys: Callable[[], frozenset[str]] = frozenset,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._keep = keep
        self._keys = keys
        self._now = now
        self._turn = asyncio.Lock()

    async def count(self) -> dict[str, int]:
        """What `clean` would delete now."""
        return await self._store.read(partial(self._count, now=self._now()))

    async def clean(self, *, actor: Actor | None = None) -> dict[str, int]:
        """Delete what is kept no longer; how many rows of what. Audited, if anything went."""
        async with self._turn:
            now = self._now()
            gone: dict[str, int] = {}
            for rule in await self._store.read(self._rules):
                gone[rule.name] = gone.get(rule.name, 0) + await self._clean(rule, now)
            if any(gone.values()):
                await self._tidy()
                detail = {name: rows for name, rows in gone.items() if rows}
                await self._store.write(
                    lambda session: audit.record(
                        session, "store.cleaned", now=now, actor=actor, detail={**detail}
                    )
                )
                logger.info("Cleaned: %s", ", ".join(f"{rows} {name}" for name, rows in detail.items()))
            return gone

    async def clear_archived(self) -> int:
        """Delete what of the audit is in an archive; how many rows. That it was cut is on record already."""
        async with self._turn:
            rules = await self._store.read(partial(cuts.rules, believed=self._keys()))
            gone = sum([await self._clean(rule, self._now()) for rule in rules])
            if gone:
                await self._tidy()
            return gone

    def _rules(self, session: Session) -> list[Rule]:
        return [*retention.rules(self._keep), *cuts.rules(session, believed=self._keys())]

    def _count(self, session: Session, *, now: datetime) -> dict[str, int]:
        return retention.count(session, self._rules(session), now=now)

    async def _tidy(self) -> None:
        """Give the room of what went back, and have estimates made anew that count on it."""
        for step in count(1):
            if not await self._store.read(space.free):
                break
            await self._store.write(partial(space.give_back, at_most=PAGES))
            if step % STEPS == 0:  # no row changes, so nobody else sees how long the log gets
                await self._store.write_through()
            await asyncio.sleep(REST)
        await self._store.write(space.look_again)

    async def _clean(self, rule: Rule, now: datetime) -> int:
        gone, for_s = 0, AIM / GROWTH
        while True:
            step = _Step(partial(retention.step, rule=rule, now=now, for_s=for_s))
            if not (rows := await self._store.write(step)):
                return gone
            gone += rows
            for_s = max(LEAST, min(AIM, for_s * GROWTH, for_s * AIM / step.held_s()))
            await asyncio.sleep(REST)


class _Step:
    """One unit of work that knows when the writer turned to it."""

    def __init__(self, work: Callable[[Session], int]) -> None:
        self._work = work
        self._begun = 0.0

    def __call__(self, session: Session) -> int:
        self._begun = perf_counter()
        return self._work(session)

    def held_s(self) -> float:
        """How long ago that was: asked once it is committed, how long the writer was held."""
        return perf_counter() - self._begun

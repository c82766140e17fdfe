"""One program of a run through all its lives: started, killed, started again.

A death that nobody ordered is a defect of the product, whatever it costs: it is kept for
the judgement with the program's last words.
"""

import asyncio
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from tests.faults.plan import Life
from tests.faults.points import POINTS, Needs
from tests.faults.zygote import Fact, Zygote, gone, send

REACHED_WITHIN = 5.0  # seconds past its earliest moment; then the program is killed where it is
TRIES = 4  # for a point that was not reached
STOPPED_WITHIN = 8.0
LAST_WORDS_WITHIN = 2.0
HOPELESS = 5  # deaths that nobody ordered

RANDOM = "at random"


class Program:
    """The lives of one program. `in_flight` says whether anything is open when it dies."""

    def __init__(
        self,
        zygote: Zygote,
        order: dict[str, Any],
        lives: Iterable[Life],
        *,
        insist: bool = False,
        in_flight: Callable[[], bool] = lambda: False,
        died: Callable[[], None] = lambda: None,
    ) -> None:
        self.tag: str = order["tag"]
        self.up = asyncio.Event()  # it has said that it is ready
        self.done = asyncio.Event()  # all its lives are over but the last
        self.away = False  # its line is cut, so that something must wait for it
        self.over = asyncio.Event()  # it will not be started any more
        self.kills: Counter[str] = Counter()
        self.busy_kills: Counter[str] = Counter()  # with a command in flight
        self.missed: Counter[str] = Counter()
        self.crashes: list[str] = []
        self.wanted: Needs | None = None
        self._zygote = zygote
        self._order = order
        self._lives = deque((life, TRIES) for life in lives)
        self._insist = insist  # a death with nothing in flight does not count
        self._in_flight = in_flight
        self._died = died
        self._pid = 0
        self._ordered = False  # its death was ordered from outside
        self._reached: str | None = None
        self._was_busy = False
        self._calm = False
        self._closing = False
        self._dead: set[int] = set()
        self._said_why = asyncio.Event()

    @property
    def left(self) -> int:
        """Lives that are still to come."""
        return len(self._lives)

    def calm(self) -> None:
        """Forget the lives to come: from now on it dies of nothing that was planned."""
        self._lives.clear()
        self._calm = True
        if self.wanted is not None:
            self.kill()

    async def run(self) -> None:
        """Live one life after the other; the first one lasts until `kill`, the last one until `stop`."""
        await self._live(None)
        while not self._closing and len(self.crashes) < HOPELESS:
            life, tries = self._lives.popleft() if self._lives else (None, 0)
            if life is None:
                self.done.set()
            again = await self._live(life)
            if self._calm:
                continue
            if again and life is not None and tries > 1:
                self._lives.append((life, tries - 1))
            elif again and life is not None and self._reached is None:
                self.missed[life.point or RANDOM] += 1
        self.done.set()
        self.over.set()

    async def begin(self, within_s: float) -> None:
        """Return once it is up for the first time.

        Raises:
            RuntimeError: it is not, with its last words.
        """
        waiting = [asyncio.create_task(event.wait()) for event in (self.up, self.over)]
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if not self.up.is_set():
            raise RuntimeError(f"{self.tag} did not come up: {self.crashes[-1:]}")

    def kill(self) -> bool:
        """Kill it where it stands; False when it is dead already."""
        if not self._pid or self._ordered or self._reached:
            return False
        self._ordered = True
        self._count(RANDOM)
        send(self._pid, signal.SIGKILL)
        return True

    def pause(self) -> None:
        if self._pid:
            send(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        if self._pid:
            send(self._pid, signal.SIGCONT)

    async def stop(self) -> None:
        """End the last life cleanly."""
        self._closing = self._ordered = True
        self._lives.clear()
        if not self._pid:
            return
        pid = self._pid
        send(pid, signal.SIGCONT)
        send(pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOPPED_WITHIN):
                await gone(pid)
        except TimeoutError:
            self.crashes.append(f"{self.tag} did not stop within {STOPPED_WITHIN:g} s")
            send(pid, signal.SIGKILL)

    async def _live(self, life: Life | None) -> bool:
        """One life; True when it should be had again: its point was not reached, or nothing was open."""
        point = life.point if life else None
        self.wanted = POINTS[point].needs if point else None
        self._reached, self._ordered = None, self._closing
        self._said_why.clear()
        order = dict(self._order)
        if life is not None and point is not None:
            order["die_at"] = {"point": point, "nth": life.nth, "after_s": life.after_s}
        self._pid = await self._zygote.start(order, self._hear)
        length = None if life is None else life.after_s + (REACHED_WITHIN if point else 0.0)
        try:
            async with asyncio.timeout(length):
                await gone(self._pid)
        except TimeoutError:
            self.kill()
            await gone(self._pid)
        if not self._ordered:
            await self._last_words()
        self._dead.add(self._pid)
        self._pid = 0
        self.up.clear()
        if point is None or self._closing:
            return False
        return self._ordered or (self._insist and not self._was_busy)

    async def _last_words(self) -> None:
        """What it said with its end is in the pipe already, and only has to be read."""
        try:
            async with asyncio.timeout(LAST_WORDS_WITHIN):
                await self._said_why.wait()
        except TimeoutError:
            self.crashes.append(f"{self.tag} died unasked and said nothing")

    def _hear(self, fact: Fact) -> None:
        if fact["pid"] in self._dead:
            return
        if "ready" not in fact:
            self._said_why.set()
        if "reached" in fact:
            if not self._ordered:
                self._reached = fact["reached"]
                self._count(fact["reached"])
        elif "ready" in fact:
            self.up.set()
        elif fact["ended"] != "clean":
            self.crashes.append(f"{self.tag} ended by itself:\n{fact['ended']}")
        elif not self._ordered:
            self.crashes.append(f"{self.tag} stopped by itself")

    def _count(self, how: str) -> None:
        self.kills[how] += 1
        self._was_busy = self._in_flight()
        if self._was_busy:
            self.busy_kills[how] += 1
        self._died()

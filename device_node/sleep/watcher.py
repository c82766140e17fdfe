"""What the node does about its machine's sleep: say so, start nothing meanwhile, and come back at once.

A sleep that nobody announced is noticed by its end, because one clock ran ahead of the other.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from broker.session.steady import awake
from device_node.sleep import logind
from device_node.sleep.pulse import EVERY, Pulse

logger = logging.getLogger(__name__)

A_SLEEP = 2.0  # seconds; the two clocks are not read in the same moment
FAREWELL_WITHIN = 2.0  # seconds for the broker to acknowledge that the device sleeps
NEVER_SLEPT = 60.0  # seconds awake after which a sleep that was announced does not come


class Line(Protocol):
    """The connection to the broker."""

    async def rest(self, reason: str) -> None:
        """Say `offline` for this reason, close the line, and stay away until `resume`."""

    def resume(self) -> None:
        """Connect again at once, also when the line seems to stand."""


class Starts(Protocol):
    """What starts tools."""

    def hold(self) -> None: ...
    def go_on(self) -> None: ...


class Watcher:
    """Follows the machine's sleep for one node."""

    def __init__(
        self, pulse: Pulse, line: Line, starts: Starts, *, awake: Callable[[], float] = awake
    ) -> None:
        self._pulse = pulse
        self._line = line
        self._starts = starts
        self._awake = awake
        self._asleep_since: float | None = None  # of the clock that does not count sleep
        self._woken = False  # since the last beat, by the system's word

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(logind.follow(self), name="logind")
            group.create_task(self._beat(), name="pulse")

    async def falls_asleep(self) -> None:
        """The system says so and waits for us."""
        logger.info("The machine goes to sleep")
        self._asleep_since = self._awake()
        self._starts.hold()
        try:
            async with asyncio.timeout(FAREWELL_WITHIN):
                await self._line.rest("sleeping")
        except TimeoutError:
            logger.warning("The broker did not hear in time that the machine goes to sleep")

    def wakes(self) -> None:
        """The system says so."""
        if self._asleep_since is not None:
            self._woken = True
            self._wake("The machine is awake again")

    def look(self) -> None:
        """One beat of the pulse, and what it shows."""
        slept = self._pulse.beat()
        told, self._woken = self._woken, False
        if slept > A_SLEEP and not told:
            self._wake(f"The machine slept for {slept:.0f} s")
        elif self._asleep_since is not None and self._awake() - self._asleep_since > NEVER_SLEPT:
            self._wake("The machine did not go to sleep after all")

    def _wake(self, how: str) -> None:
        logger.info("%s, connecting again", how)
        self._asleep_since = None
        self._line.resume()
        self._starts.go_on()

    async def _beat(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(EVERY)

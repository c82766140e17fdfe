"""The pace of orders to groups: looks at one again when something happened to it, or its rate allows more.

It knows nothing that the store does not: what it did not hear, because a program died in
between, it finds at the next look.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from controller.errors import OrionError
from controller.services import rollouts
from controller.store.notices import CommandChanged, Notice
from controller.store.store import Store

logger = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds; at an order that is open, whatever is heard
AGAIN_AFTER = 1.0  # seconds; when a step could not be made


class Pacer:
    """Moves every open order to a group, one step at a time."""

    def __init__(self, store: Store, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now
        self._look_at: dict[str, float] = {}  # open orders, and the loop's time of the next look at each
        self._wake = asyncio.Event()

    def hear(self, notice: Notice) -> None:
        """Take note of what a committed transaction announced."""
        if not isinstance(notice, CommandChanged):
            return
        row = notice.command
        if row.group_name is not None:
            if notice.final:
                self._look_at.pop(row.id, None)
            elif row.id not in self._look_at:
                self._look_soon(row.id)
        elif row.parent_id is not None and (notice.final or rollouts.is_held(row)):
            self._look_soon(row.parent_id)

    def _look_soon(self, parent_id: str) -> None:
        self._look_at[parent_id] = _time()
        self._wake.set()

    async def run(self) -> None:
        """Keep every order moving; also those that an earlier life left open."""
        for parent_id in await self._left_open():
            self._look_at.setdefault(parent_id, _time())
        while True:
            await self._step()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(self._look_at.values(), default=None)):
                    await self._wake.wait()
            self._wake.clear()

    async def _left_open(self) -> list[str]:
        while True:
            try:
                return await self._store.write(rollouts.take_up)
            except OrionError as error:
                logger.warning("The open orders to groups cannot be taken up yet: %s", error)
                await asyncio.sleep(AGAIN_AFTER)

    async def _step(self) -> None:
        """One step of every order that is due."""
        began = _time()
        for parent_id in [each for each, look_at in self._look_at.items() if look_at <= began]:
            self._look_at[parent_id] = began + LOOK_EVERY  # what is heard from here on comes before that
            wait = await self._advance(parent_id)
            if parent_id in self._look_at:  # its end may have been heard meanwhile
                self._look_at[parent_id] = min(self._look_at[parent_id], _time() + wait)

    async def _advance(self, parent_id: str) -> float:
        """Make one step; seconds until the next is due."""
        now = self._now()
        try:
            next_at = await self._store.write(partial(rollouts.advance, parent_id=parent_id, now=now))
        except OrionError as error:
            logger.warning("Order %s to a group does not move yet: %s", parent_id, error)
            return AGAIN_AFTER
        except Exception:  # the other orders are to move on
            logger.exception("Order %s to a group cannot be moved", parent_id)
            return LOOK_EVERY
        return max(0.0, (next_at - self._now()).total_seconds()) if next_at else LOOK_EVERY


def _time() -> float:
    return asyncio.get_running_loop().time()

"""Whether what the controller works with is there: looked at seldom, by one look at a time, and never for long.

Whoever asks shows no token, so a reason is a sentence of ours: it names no host, no user, no password.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from controller.assistant.chat import Assistant
from controller.services import health
from controller.store.store import Store, StoreBusy, StoreFailed

logger = logging.getLogger(__name__)

DATABASE_KEPT = 1.0  # seconds that a finding is told again
DATABASE_WITHIN = 1.0  # seconds; an orchestrator's probe has little more
CHANGES_KEPT = 5.0  # seconds that a change is proof, and a look at whether one is taken
ROOM = 1_048_576  # bytes that a file needs to grow
MODEL_KEPT = 15.0
MODEL_WITHIN = 0.5
LATE = "It does not answer in time."

Look = Callable[[], Awaitable[str | None]]  # why it is not well, None when it is


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was found. A part without a trouble is well; without its model the controller still serves."""

    troubles: Mapping[str, str | None]
    without: frozenset[str] = frozenset({"model"})  # what it can do without

    @property
    def word(self) -> str:
        """All of it in one word: `ready`, `degraded` or `unavailable`."""
        ill = {name for name, trouble in self.troubles.items() if trouble is not None}
        if ill - self.without:
            return "unavailable"
        return "degraded" if ill else "ready"


class Check:
    """One part of which is asked often: one look serves all who ask, and what it found is told for a while.

    `tasks` is where a look runs, since it outlives an impatient caller.
    """

    def __init__(self, look: Look, *, kept_s: float, within_s: float, tasks: asyncio.TaskGroup) -> None:
        self._look = look
        self._kept_s = kept_s
        self._within_s = within_s
        self._tasks = tasks
        self._looking: asyncio.Task[None] | None = None
        self._looked_at: float | None = None
        self._found: str | None = None

    async def trouble(self) -> str | None:
        """Why it is not well; None when it is. Never raises."""
        now = asyncio.get_running_loop().time()
        if self._looked_at is not None and now - self._looked_at < self._kept_s:
            return self._found
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.create_task(self._keep(), name="look")
        try:
            async with asyncio.timeout(self._within_s):
                await asyncio.shield(self._looking)
        except TimeoutError:
            return LATE
        return self._found

    async def _keep(self) -> None:
        try:
            self._found = await self._look()
        except Exception:  # the controller outlives a look that failed
            logger.exception("A look at what the controller works with failed")
            self._found = "It could not be looked at; the log says why."
        self._looked_at = asyncio.get_running_loop().time()


class Probes:
    """Looks at the broker, the database and the model."""

    def __init__(
        self, store: Store, assistant: Assistant, *, reached: Callable[[], bool], tasks: asyncio.TaskGroup
    ) -> None:
        self._store = store
        self._assistant = assistant
        self._reached = reached
        self._database = Check(
            self._look_at_database, kept_s=DATABASE_KEPT, within_s=DATABASE_WITHIN, tasks=tasks
        )
        self._changes = Check(
            self._look_for_changes, kept_s=CHANGES_KEPT, within_s=DATABASE_WITHIN, tasks=tasks
        )
        self._model = Check(self._look_at_model, kept_s=MODEL_KEPT, within_s=MODEL_WITHIN, tasks=tasks)

    async def look(self) -> Readiness:
        """Each part by its name."""
        unread, unchanged, model = await asyncio.gather(
            self._database.trouble(), self._changes.trouble(), self._model.trouble()
        )
        broker = None if self._reached() else "The controller has no connection with it."
        return Readiness({"broker": broker, "database": unread or unchanged, "model": model})

    async def _look_at_database(self) -> str | None:
        try:
            await self._store.ask(health.answers)
        except StoreFailed:
            return "It cannot be read now."
        return None

    async def _look_for_changes(self) -> str | None:
        """What was taken a moment ago is proof enough. Else one is made that leaves all as it is."""
        room = await self._store.room()
        if room is not None and room < ROOM:  # a small change might still fit where no order does
            return "It has no room to grow."
        taken_at = self._store.took_at
        if taken_at is not None and monotonic() - taken_at < CHANGES_KEPT:
            return None
        try:
            await self._store.write(health.change)
        except (StoreBusy, StoreFailed):
            return "It takes no changes now."
        return None

    async def _look_at_model(self) -> str | None:
        trouble = await self._assistant.trouble()
        return None if trouble is None else "It cannot be used; sentences are planned without it."

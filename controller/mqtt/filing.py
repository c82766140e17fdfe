"""A batch's work in the store: given until it is in, or known never to fit.

What the database could not take now is given again for as long as it takes. What fails
for another reason fails alone: of messages that were handled together, the halves are
given again until the one at fault stands by itself.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from controller.mqtt.complaints import Complaints
from controller.mqtt.routes import Arrived, Receipt, Route
from controller.store.store import Session, Store, StoreBusy, StoreFailed
from schemas import context
from schemas.wire import MalformedMessage

logger = logging.getLogger(__name__)

AGAIN_AT_MOST = 5.0  # seconds between two tries


@dataclass(frozen=True, slots=True)
class Unit:
    """Messages of one kind that stand or fall together; mostly one."""

    route: Route[Any]
    arrived: Sequence[Arrived[Any]]

    def work(self, session: Session) -> list[Receipt]:
        return self.route.handle(session, self.arrived)

    def halves(self) -> list["Unit"]:
        middle = len(self.arrived) // 2
        return [Unit(self.route, self.arrived[:middle]), Unit(self.route, self.arrived[middle:])]


def units(messages: Iterable[tuple[Route[Any], Arrived[Any]]]) -> list[Unit]:
    """Messages as units, in the order of arrival; kinds that go together form one."""
    found: list[Unit] = []
    joined: dict[int, list[Arrived[Any]]] = {}
    for route, arrived in messages:
        if not route.together:
            found.append(Unit(route, [arrived]))
        elif id(route) in joined:
            joined[id(route)].append(arrived)
        else:
            joined[id(route)] = [arrived]
            found.append(Unit(route, joined[id(route)]))
    return found


class Filing:
    """Puts units into the store and says what may be acknowledged."""

    def __init__(self, store: Store, complaints: Complaints) -> None:
        self._store = store
        self._complaints = complaints

    async def file(self, wanted: list[Unit]) -> list[Receipt]:
        """Return once every unit is stored, or refused for good."""
        receipts: list[Receipt] = []
        waiting = await self._try(wanted, receipts)
        if not waiting:
            return receipts
        retrying = AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.1, max=AGAIN_AT_MOST),
            retry=retry_if_exception_type(_NotStored),
        )
        async for attempt in retrying:
            with attempt:
                waiting = await self._try(waiting, receipts)
                if waiting:
                    raise _NotStored
        return receipts

    async def _try(self, wanted: list[Unit], receipts: list[Receipt]) -> list[Unit]:
        """Give each once, and what failed by itself in halves; what is to be given again."""
        again: list[Unit] = []
        while wanted:
            try:
                outcomes = await self._store.write_all([unit.work for unit in wanted])
            except StoreBusy:
                return again + wanted
            parts: list[Unit] = []
            for unit, outcome in zip(wanted, outcomes, strict=True):
                if isinstance(outcome, StoreFailed):
                    again.append(unit)
                elif not isinstance(outcome, Exception):
                    receipts += outcome
                elif len(unit.arrived) > 1:
                    parts += unit.halves()
                else:
                    self._give_up(unit.arrived[0], outcome)
            wanted = parts
        return again

    def _give_up(self, arrived: Arrived[Any], error: Exception) -> None:
        if isinstance(error, MalformedMessage):
            self._complaints.add(arrived.device_id, str(error))
            return
        with context.about(device_id=arrived.device_id):
            logger.error("A message of %s could not be handled", arrived.device_id, exc_info=error)


class _NotStored(Exception):
    """The database did not take everything."""

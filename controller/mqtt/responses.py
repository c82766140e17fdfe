"""Out, to people: responses in the order they were made, each until the broker has it.

A response that was handed over and could not be crossed off is said again, word for word.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from broker.session import Congested, ConnectionLost, PublishProperties, Session, SessionError
from controller.instruments import Instruments
from controller.services import mqtt_inputs
from controller.store.store import Store, StoreBusy, StoreFailed
from controller.store.tables import MqttResponse
from schemas.topics import Kind, Topics

logger = logging.getLogger(__name__)

AGAIN_AFTER = 1.0  # seconds; when the store or the broker did not take something

_JSON = PublishProperties(content_type="application/json")


class Responses:
    """What is to be said to users on the session of the moment."""

    def __init__(self, store: Store, topics: Topics, instruments: Instruments) -> None:
        self._store = store
        self._topics = topics
        self._instruments = instruments
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something new to say."""
        self._wake.set()

    async def serve(self, session: Session) -> None:
        """Say what is to be said for as long as the session stands."""
        while session.alive:
            self._wake.clear()
            try:
                rows = await self._store.read(mqtt_inputs.unsaid)
            except (StoreBusy, StoreFailed) as error:
                logger.warning("Responses to users cannot be read yet: %s", error)
                await asyncio.sleep(AGAIN_AFTER)
                continue
            if not rows:
                await self._wake.wait()
                continue
            over = await self._publish(session, rows)
            await self._cross_off(over)
            if len(over) < len(rows):
                await asyncio.sleep(AGAIN_AFTER)

    async def _publish(self, session: Session, rows: Sequence[MqttResponse]) -> list[int]:
        """Hand over some; the numbers of those that are over, taken or refused for good."""
        for _ in rows:
            self._instruments.said(Kind.RESPONSE)
        said = [
            session.publish(
                self._topics.user(row.username, Kind.RESPONSE), row.payload.encode(), properties=_JSON
            )
            for row in rows
        ]
        outcomes = await asyncio.gather(*said, return_exceptions=True)
        over: list[int] = []
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, ConnectionLost | Congested):
                break
            if isinstance(outcome, SessionError):
                logger.warning("A response to %s could not be published: %s", row.username, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            over.append(row.number or 0)
        return over

    async def _cross_off(self, numbers: Sequence[int]) -> None:
        while numbers:
            try:
                await self._store.write(partial(mqtt_inputs.said, numbers=numbers))
            except (StoreBusy, StoreFailed) as error:
                logger.warning("Responses that were said cannot be crossed off yet: %s", error)
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return

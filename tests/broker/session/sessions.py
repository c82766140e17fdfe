"""Sessions of the controller as tests open them, and how long they wait for one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from broker.session import Backoff, Session
from tests.broker.running import RunningBroker

TOPIC = "orion/v1/audit"  # the controller may publish and read it
Outcome = TypeVar("Outcome")
QUICK = Backoff(first_s=0.01, longest_s=0.05, not_let_in_s=0.05)


def a_session(broker: RunningBroker, *, max_queued: int = 10_000) -> Session:
    return Session(broker.controller, client_id="controller-main", max_queued=max_queued)


@contextlib.asynccontextmanager
async def connected(session: Session) -> AsyncIterator[Session]:
    await session.connect()
    try:
        yield session
    finally:
        await session.close()


async def within(awaited: Awaitable[Outcome], seconds: float = 5.0) -> Outcome:
    async with asyncio.timeout(seconds):
        return await awaited

"""Units of work for the one writer, what they leave, and how several become one batch."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlmodel import Session, col, select

from controller.errors import Refused
from controller.services import audit
from controller.store.store import Store
from controller.store.tables import AuditEntry
from tests.factories import NOON


def noting(action: str) -> Callable[[Session], str]:
    """A unit that leaves one audit row."""

    def work(session: Session) -> str:
        audit.record(session, action, now=NOON)
        return action

    return work


def failing(action: str) -> Callable[[Session], str]:
    """A unit that writes, announces, and then thinks better of it."""

    def work(session: Session) -> str:
        audit.record(session, action, now=NOON)
        session.flush()
        raise Refused("no")

    return work


def actions(session: Session) -> list[str]:
    return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.number))))


@contextmanager
def held(store: Store) -> Iterator[None]:
    """Keep the writer busy, so that what is written meanwhile becomes one batch."""
    begun, free = threading.Event(), threading.Event()

    def hold(_session: Session) -> None:
        begun.set()
        free.wait(10)

    store.write_soon(hold)
    begun.wait(10)  # it is in a transaction of its own
    try:
        yield
    finally:
        free.set()


async def batch(store: Store, *works: Callable[[Session], object]) -> list[object]:
    """The outcomes of units that share one transaction."""
    with held(store):
        waiting = asyncio.create_task(store.write_all(works))
        await asyncio.sleep(0)
    return await waiting

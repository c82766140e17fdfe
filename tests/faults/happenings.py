"""Events that a node produces for the harness, each noted before and after it was reported.

Two lines an event: `tried` before the node is told, `kept` after it said that the event is
durable. What was kept must be stored once; what was never tried must not be there.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from device_node.events import Events
from device_node.journal import JournalUnusable
from schemas.events import Severity
from schemas.ids import new_id
from tests.faults.sabotage import replace

logger = logging.getLogger(__name__)

TYPE = "harness_noted"
LOOK_EVERY = 0.01  # seconds


@asynccontextmanager
async def produced(device_id: str, ledger: Path, *, every_s: float) -> AsyncIterator[None]:
    """Report events inside the block as soon as the node has somebody to report to."""
    producing = asyncio.create_task(_produce(device_id, ledger, every_s, _reporter()), name="happenings")
    try:
        yield
    finally:
        producing.cancel()
        await asyncio.wait((producing,))


def _reporter() -> asyncio.Future[Events]:
    """The program's own reporter, as soon as it has made one."""
    made: asyncio.Future[Events] = asyncio.get_running_loop().create_future()
    inner = Events.__init__

    @wraps(inner)
    def build(self: Events, *arguments: Any, **named: Any) -> None:
        inner(self, *arguments, **named)
        made.set_result(self)

    replace(Events, __init__=build)
    return made


async def _produce(device_id: str, ledger: Path, every_s: float, made: asyncio.Future[Events]) -> None:
    reporter = await made
    while not reporter._journal.is_open:  # before that it would report its own journal
        await asyncio.sleep(LOOK_EVERY)
    while not quiet(ledger).exists():
        key = new_id()
        note(ledger, "tried", device_id, key)
        try:
            event_id = await reporter.report(TYPE, Severity.WARNING, {"key": key})
        except JournalUnusable as error:  # a full disk: it was not kept, and nobody says it was
            logger.info("Event %s was not taken: %s", key, error)
        else:
            note(ledger, "kept", device_id, key, event_id)
        await asyncio.sleep(every_s)


def quiet(ledger: Path) -> Path:
    """As long as this file is there, no node produces anything."""
    return ledger.with_suffix(".quiet")


def note(ledger: Path, *words: str) -> None:
    """Append one line, whole or not at all."""
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with contextlib.closing(os.fdopen(descriptor, "wb", buffering=0)) as file:
        file.write(" ".join(words).encode("ascii") + b"\n")

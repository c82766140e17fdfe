"""More than one program on one database, and programs that are killed."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sqlmodel import Session, col, func, select

from controller.services import audit
from controller.store.store import Store
from controller.store.tables import AuditEntry
from tests.factories import NOON

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from controller.services import audit
from controller.store.store import Store

def noting(number):
    return lambda session: audit.record(session, f"{sys.argv[2]}.{number}", now=datetime.now(UTC))

async def main():
    store = Store(sys.argv[1])
    store.open()
    store.listen(lambda heard: None)
    print("ready", flush=True)
    for number in range(int(sys.argv[3])):
        await store.write(noting(number))
        print(number, flush=True)
    store.close()

asyncio.run(main())
"""


@contextmanager
def program(url: str, name: str, writes: int) -> Iterator[subprocess.Popen[str]]:
    """Another program that writes to the same database and says what it was told is stored."""
    started = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, name, str(writes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate(timeout=10)


def line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def stored(session: Session) -> set[str]:
    return set(session.exec(select(AuditEntry.action)))


async def test_two_programs_write_side_by_side_and_lose_nothing(store: Store, database_url: str) -> None:
    with program(database_url, "other", 200) as other:
        assert await asyncio.to_thread(line, other) == "ready"
        for number in range(200):
            await store.write(partial(audit.record, action=f"own.{number}", now=NOON))
        said, _ = await asyncio.to_thread(other.communicate, timeout=20)

    assert said.split()[-1] == "199"
    count = await store.read(lambda session: session.exec(select(func.count(col(AuditEntry.number)))).one())
    assert count == 400


async def test_a_killed_program_loses_nothing_that_it_was_told_is_stored(
    store: Store, database_url: str
) -> None:
    with program(database_url, "killed", 100_000) as other:
        assert await asyncio.to_thread(line, other) == "ready"
        told = [await asyncio.to_thread(line, other) for _ in range(25)]
        other.send_signal(signal.SIGKILL)
        rest, _ = await asyncio.to_thread(other.communicate, timeout=10)

    # a line that was cut by the kill may be the beginning of a number
    whole = [*told, *(word for word in rest.splitlines(keepends=True) if word.endswith("\n"))]
    assert {f"killed.{number.strip()}" for number in whole} <= await store.read(stored)


KILLED_BETWEEN = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from controller.services import audit
from controller.store.store import Store

async def main():
    store = Store(sys.argv[1])
    store.open()
    store._listener = lambda heard: os.kill(os.getpid(), signal.SIGKILL)
    await store.write(lambda session: audit.record(session, "committed", now=datetime.now(UTC)))
    print("woken", flush=True)

asyncio.run(main())
"""


async def test_a_program_killed_between_commit_and_wake_has_stored_it(
    store: Store, database_url: str
) -> None:
    other = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED_BETWEEN, database_url],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert other.returncode == -signal.SIGKILL
    assert other.stdout == ""
    assert await store.read(stored) == {"committed"}

"""Each planned run is ordered once: whenever a controller is killed, and however many of them look."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlmodel import select

from controller.scheduler import Scheduler
from controller.services import devices, schedules, users
from controller.services.users import UserRole
from controller.store.store import Session, Store
from controller.store.tables import Schedule, ScheduleRun, ToolExecution
from tests.controller.conftest import running
from tests.controller.services.schedules.planned import SIX, add
from tests.factories import ADMIN, NOON, OPERATOR, a_place, a_presence, a_profile

RUNNER = """
import asyncio, os, signal, sys
from datetime import datetime
from controller import timetable
from controller.services import schedules
from controller.store.store import Store

def run(session):
    now = datetime.fromisoformat(sys.argv[2])
    for each in schedules.due(session, now=now):
        schedules.run(session, each, now=now, following=timetable.following)
    session.flush()
    if sys.argv[3] == "before":
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    store = Store(sys.argv[1])
    store.open()
    store.listen(lambda heard: None)
    await store.write(run)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.fixture
async def planned(store: Store) -> str:
    """An operator's schedule that is due at six."""

    def prepare(session: Session) -> str:
        devices.add(session, a_place(), actor=ADMIN, now=NOON)
        devices.store_profile(session, "laptop", a_profile(), now=NOON)
        devices.store_presence(session, "laptop", a_presence(), now=NOON)
        users.add(session, OPERATOR.user, UserRole.OPERATOR, actor=ADMIN, now=NOON)
        session.flush()
        return add(session).id

    return await store.write(prepare)


def counted(session: Session) -> tuple[int, int]:
    """How many commands, and how many runs."""
    return len(session.exec(select(ToolExecution)).all()), len(session.exec(select(ScheduleRun)).all())


def clock(store: Store, now: datetime) -> Scheduler:
    return Scheduler(store, now=lambda: now)


async def test_the_clock_runs_what_is_due(store: Store, planned: str) -> None:
    await clock(store, SIX - timedelta(seconds=1)).sweep()
    assert await store.read(counted) == (0, 0)

    await clock(store, SIX).sweep()
    await clock(store, SIX + timedelta(seconds=1)).sweep()
    assert await store.read(counted) == (1, 1)


@pytest.mark.parametrize(("when", "kept"), [("before", (0, 0)), ("behind", (1, 1))])
async def test_a_controller_that_is_killed_around_its_commit_orders_once(
    store: Store, database_url: str, planned: str, when: str, kept: tuple[int, int]
) -> None:
    command = [sys.executable, "-c", RUNNER, database_url, SIX.isoformat(), when]
    killed = await asyncio.to_thread(subprocess.run, command, check=False, timeout=60, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert await store.read(counted) == kept

    await clock(store, SIX + timedelta(seconds=5)).sweep()
    await clock(store, SIX + timedelta(seconds=6)).sweep()

    assert await store.read(counted) == (1, 1)


async def test_two_controllers_that_look_at_once_order_once(
    store: Store, database_url: str, planned: str
) -> None:
    async with running(database_url) as other:
        for day in range(5):
            now = SIX + timedelta(days=day)
            await asyncio.gather(*(clock(each, now).sweep() for each in (store, other, store, other)))

    assert await store.read(counted) == (5, 5)


async def test_what_went_wrong_in_the_middle_of_a_run_is_as_if_it_had_not_begun(
    store: Store, planned: str
) -> None:
    """The rule of the times breaks off, which is the last that a run asks for."""
    calls: list[datetime] = []

    def broken(cron: str, zone: str, after: datetime) -> datetime:
        calls.append(after)
        raise RuntimeError(cron + zone)

    work: Callable[[Session], object] = partial(schedules.run, schedule_id=planned, now=SIX, following=broken)
    with pytest.raises(RuntimeError):
        await store.write(work)
    assert (len(calls), await store.read(counted)) == (1, (0, 0))

    await clock(store, SIX).sweep()
    assert await store.read(counted) == (1, 1)


async def test_a_clock_that_was_years_ahead_silences_none(store: Store, planned: str) -> None:
    moment = SIX + timedelta(days=3_000)
    scheduler = Scheduler(store, now=lambda: moment)
    await scheduler.sweep()
    moment = SIX + timedelta(hours=2)
    await scheduler.sweep()
    moment = SIX + timedelta(days=1)
    await scheduler.sweep()

    assert await store.read(counted) == (2, 2)


async def test_a_clock_that_was_an_hour_ahead_runs_none_twice(store: Store, planned: str) -> None:
    moment = SIX + timedelta(seconds=1)
    scheduler = Scheduler(store, now=lambda: moment)
    await scheduler.sweep()
    moment = SIX - timedelta(hours=1)
    await scheduler.sweep()
    moment = SIX + timedelta(seconds=1)
    await scheduler.sweep()

    assert await store.read(counted) == (1, 1)


async def test_one_that_cannot_be_run_holds_up_no_other(
    store: Store, planned: str, caplog: pytest.LogCaptureFixture
) -> None:
    def damage(session: Session) -> None:
        add(session)
        session.get_one(Schedule, planned).pace = {"nonsense": 1}

    await store.write(damage)
    await clock(store, SIX).sweep()

    assert await store.read(counted) == (1, 1)
    assert f"The schedule {planned} could not be run" in caplog.text

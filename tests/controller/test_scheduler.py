"""The clock: what is late is settled, and a store that is away is asked again."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlmodel import select

from controller.scheduler import MAX_GAP, Scheduler
from controller.services import approvals, commands, devices, memories, settling
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.store.store import Session, Store
from controller.store.tables import Device, MemoryRow, ToolExecution
from device_node import spool
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN, NOON, a_heartbeat, a_place, a_presence, a_profile, a_request, later
from tests.plans import Plan, explained

LATE = later(timedelta(hours=2).total_seconds())
CREATE = a_request()
DELETE = a_request("delete_path", arguments={"path": "Test"})


@pytest.fixture
async def rows(store: Store) -> list[ToolExecution]:
    """A command on the way and one behind a card."""

    def prepare(session: Session) -> list[ToolExecution]:
        devices.add(session, a_place(), actor=ADMIN, now=NOON)
        devices.store_profile(session, "laptop", a_profile(), now=NOON)
        devices.store_presence(session, "laptop", a_presence(), now=NOON)
        return [commands.submit(session, each, actor=ADMIN, now=NOON) for each in (CREATE, DELETE)]

    return await store.write(prepare)


async def statuses(store: Store) -> list[str]:
    return [row.status for row in reversed(await store.read(commands.listed))]


async def listened(store: Store, moment: list[datetime]) -> Scheduler:
    """A scheduler that has heard for long enough what devices have to say."""
    scheduler = Scheduler(store, now=lambda: moment[0])
    for _ in range(int(settling.LISTENS_FOR)):
        moment[0] += timedelta(seconds=1)
        await scheduler.sweep()
    return scheduler


async def test_a_sweep_settles_what_is_late(store: Store, rows: list[ToolExecution]) -> None:
    await listened(store, [LATE])

    assert await statuses(store) == [Status.INTERRUPTED, Status.EXPIRED]
    (card,) = await store.read(approvals.listed)
    assert card.status == ApprovalStatus.EXPIRED


async def test_a_controller_that_was_away_listens_first_to_what_waits_for_it(
    store: Store, rows: list[ToolExecution]
) -> None:
    """However long it was away: a device says its answer again, but not at once."""
    moment = [LATE]
    scheduler = Scheduler(store, now=lambda: moment[0])

    for _ in range(int(settling.LISTENS_FOR)):
        await scheduler.sweep()
        assert (await statuses(store))[0] == Status.QUEUED
        moment[0] += timedelta(seconds=1)
    await scheduler.sweep()
    assert (await statuses(store))[0] == Status.INTERRUPTED


async def test_what_left_while_the_controller_listened_is_over_in_its_own_time(
    store: Store, rows: list[ToolExecution]
) -> None:
    brief = a_request(valid_s=5.0, timeout_s=1.0)
    await store.write(lambda session: commands.submit(session, brief, actor=ADMIN, now=NOON))
    over = brief.valid_s + 1.0 + settling.GRACE
    assert over < settling.LISTENS_FOR
    moment = [NOON]
    scheduler = Scheduler(store, now=lambda: moment[0])

    while moment[0] <= later(over):
        await scheduler.sweep()
        assert Status.INTERRUPTED not in await statuses(store)
        moment[0] += timedelta(seconds=1)
    await scheduler.sweep()
    assert Status.INTERRUPTED in await statuses(store)


async def test_a_line_that_was_lost_between_two_looks_was_lost_all_the_same(
    store: Store, rows: list[ToolExecution]
) -> None:
    """What the broker had for us may have gone with it."""
    over = CREATE.valid_s + rows[0].timeout_s + settling.GRACE
    moment, losses = [NOON], [0]
    scheduler = Scheduler(store, losses=lambda: losses[0], now=lambda: moment[0])

    while moment[0] <= later(over + settling.LISTENS_FOR - 1):
        await scheduler.sweep()
        assert (await statuses(store))[0] == Status.QUEUED
        moment[0] += timedelta(seconds=1)
        losses[0] = moment[0] >= later(over)
    moment[0] += timedelta(seconds=2)
    await scheduler.sweep()
    assert (await statuses(store))[0] == Status.INTERRUPTED


def test_a_device_says_its_answer_again_before_silence_is_taken_for_one() -> None:
    assert spool.LONGEST_WAIT + settling.GRACE <= settling.LISTENS_FOR


async def test_a_controller_that_cannot_hear_gives_up_in_the_end(
    store: Store, rows: list[ToolExecution]
) -> None:
    moment = [LATE]
    scheduler = Scheduler(store, listening=lambda: False, now=lambda: moment[0])

    while moment[0] < LATE + timedelta(seconds=settling.PATIENCE):
        await scheduler.sweep()
        assert (await statuses(store))[0] == Status.QUEUED
        moment[0] += timedelta(seconds=MAX_GAP - 1)
    moment[0] += timedelta(seconds=1)
    await scheduler.sweep()
    assert (await statuses(store))[0] == Status.INTERRUPTED


async def test_a_sweep_touches_nothing_that_is_in_time(store: Store, rows: list[ToolExecution]) -> None:
    await Scheduler(store, now=lambda: later(1)).sweep()

    assert await statuses(store) == [Status.QUEUED, Status.AWAITING_APPROVAL]


async def test_a_sweep_that_fails_is_tried_again(
    store: Store, rows: list[ToolExecution], caplog: pytest.LogCaptureFixture
) -> None:
    moment = [LATE]
    scheduler = Scheduler(store, now=lambda: moment[0])
    await asyncio.to_thread(set_read_only, store, "ON")

    await scheduler.sweep()
    assert "A sweep failed and is tried again" in caplog.text
    assert await statuses(store) == [Status.QUEUED, Status.AWAITING_APPROVAL]

    await asyncio.to_thread(set_read_only, store, "OFF")
    await scheduler.sweep()
    assert (await statuses(store))[1] == Status.EXPIRED


async def test_the_clock_sweeps_by_itself_until_it_is_stopped(
    store: Store, rows: list[ToolExecution], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.scheduler.SWEEP_EVERY", 0.05)
    asked: list[datetime] = []

    def now() -> datetime:
        asked.append(LATE)
        return LATE

    scheduler = Scheduler(store, now=now)
    scheduler.start()
    async with asyncio.timeout(10):
        while (await statuses(store))[1] != Status.EXPIRED:
            await asyncio.sleep(0.01)
    scheduler.stop()
    scheduler.stop()

    assert asked


async def test_many_late_commands_are_settled_in_one_sweep(store: Store, rows: list[ToolExecution]) -> None:
    def many(session: Session) -> None:
        for _ in range(300):
            commands.submit(session, CREATE, actor=ADMIN, now=NOON)

    await store.write(many)

    await listened(store, [LATE])

    left = await store.read(partial(commands.listed, status=Status.QUEUED, limit=1_000))
    assert left == []


class Watch:
    """A scheduler that sweeps when the test says so, and one device that has beaten at noon."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = 0.0
        self.hears = True
        self.scheduler = Scheduler(store, listening=lambda: self.hears, now=lambda: later(self.at))

    async def sweep_until(self, at: float) -> str:
        """Sweep every second; the status that the device then has."""
        while self.at < at:
            self.at += 1
            await self.scheduler.sweep()
        return await self.status()

    async def status(self) -> str:
        row: Device = await self.store.read(lambda session: devices.get(session, "laptop"))
        return row.status


@pytest.fixture
async def watch(store: Store, rows: list[ToolExecution]) -> Watch:
    await store.write(lambda session: devices.store_heartbeat(session, "laptop", a_heartbeat(), now=NOON))
    return Watch(store)


async def test_a_device_that_falls_silent_is_found_stale(watch: Watch) -> None:
    assert await watch.sweep_until(90) == "online"
    assert await watch.sweep_until(92) == "stale"


async def test_a_controller_that_slept_blames_nobody(watch: Watch) -> None:
    await watch.sweep_until(10)
    watch.at = 3_600

    assert await watch.sweep_until(3_690) == "online"
    assert await watch.sweep_until(3_693) == "stale"


async def test_a_clock_that_is_set_back_blames_nobody(watch: Watch) -> None:
    await watch.sweep_until(10)
    watch.at = -3_600
    await watch.sweep_until(-3_590)

    watch.at = 50
    assert await watch.sweep_until(95) == "online"


async def test_a_controller_that_hears_nobody_blames_nobody(watch: Watch) -> None:
    watch.hears = False
    assert await watch.sweep_until(300) == "online"

    watch.hears = True
    assert await watch.sweep_until(389) == "online"
    assert await watch.sweep_until(392) == "stale"


async def test_a_store_that_was_away_blames_nobody(watch: Watch) -> None:
    await watch.sweep_until(89)
    await asyncio.to_thread(set_read_only, watch.store, "ON")
    await watch.sweep_until(95)
    await asyncio.to_thread(set_read_only, watch.store, "OFF")

    assert await watch.sweep_until(180) == "online"


async def test_who_is_silent_is_found_by_an_index(store: Store, watch: Watch) -> None:
    def plan(session: Session) -> Plan:
        since = later(-3_600)
        return explained(
            session,
            lambda: devices.silent(session, now=NOON, heartbeat_s=30.0, listening_since=since),
            table="devices",
        )

    found = await store.read(plan)
    assert found.by_index
    assert any("ix_devices_silent_since" in step for step in found.steps)


async def test_what_was_to_be_remembered_until_now_goes_at_once(store: Store) -> None:
    place = memories.Place(memories.Scope.GLOBAL)
    new = memories.NewMemory("guest wifi", "abc", place, expires_at=later(10))
    await store.write(lambda session: memories.remember(session, new, actor=ADMIN, now=NOON))
    moment = [later(9)]
    scheduler = Scheduler(store, now=lambda: moment[0])

    def kept(session: Session) -> int:
        return len(session.exec(select(MemoryRow.id)).all())

    await scheduler.sweep()
    assert await store.read(kept) == 1
    moment[0] = later(11)
    await scheduler.sweep()
    assert await store.read(kept) == 0

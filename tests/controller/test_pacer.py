"""The pacer: what happens to an order moves it on, and so does its rate, whoever died in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import pytest

from controller.pacer import Pacer
from controller.services import commands, rollouts, settling
from controller.services.orders import Status
from controller.services.rollouts import Pace
from controller.store.notices import Notice
from controller.store.store import Session, Store
from controller.store.tables import ToolExecution
from tests.controller.services.fleet import a_lab, an_order, statuses
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN, a_reply

WITHIN = 10.0  # seconds


@asynccontextmanager
async def pacing(store: Store) -> AsyncIterator[Pacer]:
    """A pacer that hears the store, until the block ends."""
    pacer = Pacer(store)

    def hear(heard: list[Notice]) -> None:
        for notice in heard:
            pacer.hear(notice)

    store.listen(hear)
    running = asyncio.create_task(pacer.run(), name="pacer")
    try:
        yield pacer
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def an_order_to_four(store: Store, pace: Pace) -> ToolExecution:
    """Four devices, and an order to them all."""

    def submit(session: Session) -> ToolExecution:
        a_lab(session, 4)
        return rollouts.submit(session, an_order(pace=pace), actor=ADMIN, now=datetime.now(UTC))

    return await store.write(submit)


async def stand(store: Store, parent: ToolExecution) -> list[str]:
    return await store.read(partial(statuses, parent=parent))


async def until(look: Callable[[], Awaitable[object]], wanted: object) -> None:
    async with asyncio.timeout(WITHIN):
        while await look() != wanted:
            await asyncio.sleep(0.01)


async def answer(store: Store, parent: ToolExecution, number: int) -> None:
    """One of the devices did it."""
    rows = await store.read(partial(commands.listed, parent_id=parent.id))
    row = sorted(rows, key=lambda each: each.device_id)[number]
    now = datetime.now(UTC)
    await store.write(lambda session: settling.settle(session, row.device_id, a_reply(row.id), now=now))


async def status_of(store: Store, parent: ToolExecution) -> str:
    return (await store.read(partial(commands.get, command_id=parent.id))).status


async def test_one_that_ended_makes_room_for_the_next(store: Store) -> None:
    async with pacing(store):
        parent = await an_order_to_four(store, Pace(max_in_flight=2))
        assert await stand(store, parent) == ["queued", "queued", "held", "held"]

        await answer(store, parent, 0)

        await until(lambda: stand(store, parent), ["succeeded", "queued", "queued", "held"])


async def test_the_last_end_ends_the_order(store: Store) -> None:
    async with pacing(store):
        parent = await an_order_to_four(store, Pace())
        for number in range(4):
            await answer(store, parent, number)

        await until(lambda: status_of(store, parent), Status.SUCCEEDED)


async def test_a_rate_moves_it_on_by_itself(store: Store) -> None:
    async with pacing(store):
        parent = await an_order_to_four(store, Pace(rate_per_s=50, max_in_flight=None))

        await until(lambda: stand(store, parent), ["queued"] * 4)


async def test_what_an_earlier_life_left_open_is_taken_up(store: Store) -> None:
    parent = await an_order_to_four(store, Pace(max_in_flight=1))
    await answer(store, parent, 0)  # and nobody heard it
    assert await stand(store, parent) == ["succeeded", "held", "held", "held"]

    async with pacing(store):
        await until(lambda: stand(store, parent), ["succeeded", "queued", "held", "held"])


async def test_a_store_that_is_away_at_the_start_is_asked_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    parent = await an_order_to_four(store, Pace(max_in_flight=1))
    await answer(store, parent, 0)
    await asyncio.to_thread(set_read_only, store, "ON")

    async with pacing(store):
        # a server that only reads still says which they are, and is asked again when one has to move
        await until(said(caplog, " yet: "), wanted=True)
        await asyncio.to_thread(set_read_only, store, "OFF")

        await until(lambda: stand(store, parent), ["succeeded", "queued", "held", "held"])


async def test_a_step_that_the_store_does_not_take_is_made_later(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pacer.LOOK_EVERY", 0.05)
    monkeypatch.setattr("controller.pacer.AGAIN_AFTER", 0.05)
    store = sqlite_store
    parent = await an_order_to_four(store, Pace(max_in_flight=1, rate_per_s=50))

    async with pacing(store) as pacer:
        await until(lambda: asyncio.sleep(0, pacer._look_at.keys()), {parent.id: 0.0}.keys())
        await asyncio.to_thread(set_read_only, store, "ON")
        await until(said(caplog, "does not move yet"), wanted=True)
        await asyncio.to_thread(set_read_only, store, "OFF")
        await answer(store, parent, 0)

        await until(lambda: stand(store, parent), ["succeeded", "queued", "held", "held"])


async def test_an_order_that_cannot_be_moved_does_not_hold_up_the_others(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    broken = await an_order_to_four(store, Pace(max_in_flight=1))

    def damage(session: Session) -> ToolExecution:
        commands.get(session, broken.id).rollout = {"total": 4}
        return rollouts.submit(
            session, an_order(pace=Pace(max_in_flight=1)), actor=ADMIN, now=datetime.now(UTC)
        )

    sound = await store.write(damage)
    async with pacing(store):
        await until(said(caplog, f"{broken.id} to a group cannot be moved"), wanted=True)
        await answer(store, sound, 0)

        await until(lambda: stand(store, sound), ["succeeded", "queued", "held", "held"])


def said(caplog: pytest.LogCaptureFixture, words: str) -> Callable[[], Awaitable[bool]]:
    """Whether the log holds these words by now."""

    async def look() -> bool:
        return words in caplog.text

    return look

"""What waits for the one writer never stops it: who gives up, who finds no room, and who comes at its end."""

import asyncio
import threading

import pytest
from sqlmodel import Session

from controller.services import audit
from controller.store import store as store_module
from controller.store.store import Store, StoreBusy, StoreFailed
from tests.controller.store.writer.units import actions, failing, held, noting
from tests.factories import NOON


async def test_a_caller_who_gives_up_does_not_stop_the_writer(store: Store) -> None:
    with held(store):
        impatient = asyncio.create_task(store.write(noting("given up")))
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient

    assert await store.write(noting("after")) == "after"
    assert await store.read(actions) == ["after"]


async def test_a_caller_who_gives_up_in_the_middle_of_the_work_does_not_stop_the_writer(store: Store) -> None:
    begun, free = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        begun.set()
        free.wait(10)
        audit.record(session, "slow", now=NOON)

    impatient = asyncio.create_task(store.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    impatient.cancel()
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await impatient

    assert await store.write(noting("after")) == "after"
    assert await store.read(actions) == ["slow", "after"]


async def test_a_full_queue_is_told_and_takes_none_of_the_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(store):
        many = [noting(f"{number}") for number in range(store_module.MAX_QUEUED + 1)]
        with pytest.raises(StoreBusy):
            await store.write_all(many)

    await store.write(noting("after"))
    assert await store.read(actions) == ["after"]


async def test_a_note_that_finds_no_room_is_dropped_and_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with held(store):
        for _ in range(store_module.MAX_QUEUED + 2):
            store.write_soon(lambda _session: None)

    assert "a note was dropped" in caplog.text


async def test_a_note_that_fails_is_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.write_soon(failing("lost"))

    await store.write(noting("after"))

    assert "could not be stored: no" in caplog.text


async def test_work_that_waits_when_the_store_closes_is_done_first(database_url: str) -> None:
    first = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(first.open)
    for number in range(50):
        first.write_soon(noting(f"{number}"))
    await asyncio.to_thread(first.close)

    second = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(second.open)
    assert len(await second.read(actions)) == 50
    await asyncio.to_thread(second.close)


async def test_work_after_the_close_is_refused_instead_of_waiting_for_ever(database_url: str) -> None:
    closed = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(closed.open)
    await asyncio.to_thread(closed.close)

    async with asyncio.timeout(5):
        with pytest.raises(StoreFailed):
            await closed.write(noting("late"))
    closed.write_soon(noting("late too"))

"""What waits for an Ack is sent in order, a window at a time, and again."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from device_node.journal import Journal, Kind, Spooled
from device_node.spool import FIRST_WAIT, LONGEST_WAIT, WINDOW, Spool


class Broker:
    """Takes what is published, each with its moment; it acknowledges at once unless it is told not to."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, str]] = []
        self.slow = False

    def publish(self, _topic: str, payload: bytes) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        self.seen.append((loop.time(), payload.decode()))
        done: asyncio.Future[int] = loop.create_future()
        if not self.slow:
            done.set_result(0)
        return done

    @property
    def order(self) -> list[str]:
        return [payload for _, payload in self.seen]


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def spool(journal: Journal) -> Spool:
    return Spool(journal)


async def a_reply(journal: Journal, command_id: str) -> Spooled:
    """A final reply in the journal, with its id as its payload."""
    await journal.receive(command_id, reply_to="t", expires_at=0.0, now=0.0)
    await journal.finish(command_id, reply_to="t", reply=command_id.encode())
    return Spooled(Kind.REPLY, command_id, "t")


class Line:
    """A connection of a spool, from its beginning to its end."""

    def __init__(self, spool: Spool, broker: Broker) -> None:
        self._spool = spool
        self._broker = broker
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        await self._spool.begin(self._broker.publish)
        self._task = asyncio.create_task(self._spool.run())

    async def __aexit__(self, *_error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._spool.end()


async def test_what_was_left_is_sent_in_order_at_every_connect(
    journal: Journal, spool: Spool, broker: Broker
) -> None:
    for number in range(4):
        await a_reply(journal, f"{number}")
    await spool.load()
    async with Line(spool, broker):
        assert broker.order == ["0", "1", "2", "3"]
        await spool.acknowledge(replies=["1", "unknown"], events=["2"])
    async with Line(spool, broker):
        assert broker.order[4:] == ["0", "2", "3"]
    assert len(spool) == 3


async def test_new_reply_leaves_at_once(journal: Journal, spool: Spool, broker: Broker) -> None:
    async with Line(spool, broker):
        sent = spool.add(await a_reply(journal, "a"), b"a")
        assert sent is not None
        assert broker.order == ["a"]


async def test_reply_made_without_a_line_is_not_overtaken_by_a_newer_one(
    journal: Journal, spool: Spool, broker: Broker
) -> None:
    older = [await a_reply(journal, f"old-{number}") for number in range(WINDOW + 20)]
    for one in older:
        assert spool.add(one, one.id.encode()) is None
    async with Line(spool, broker):
        assert spool.add(await a_reply(journal, "new"), b"new") is None
        await spool.acknowledge(replies=[one.id for one in older[:50]], events=[])
        async with asyncio.timeout(5):
            while "new" not in broker.order:
                await asyncio.sleep(0)
    assert broker.order == [*(one.id for one in older), "new"]


async def test_no_more_than_a_window_leaves_without_an_ack(
    journal: Journal, spool: Spool, broker: Broker
) -> None:
    for number in range(2 * WINDOW):
        await a_reply(journal, f"{number}")
    await spool.load()
    async with Line(spool, broker):
        assert len(broker.seen) == WINDOW
        await spool.acknowledge(replies=["0", "1", "2"], events=[])
        async with asyncio.timeout(5):
            while len(broker.seen) < WINDOW + 3:
                await asyncio.sleep(0)
    assert broker.order == [f"{number}" for number in range(WINDOW + 3)]


# In simulated time nothing may wait for another thread, so these messages are in memory only.


def hold(spool: Spool, *ids: str) -> None:
    for one in ids:
        spool.hold(Spooled(Kind.EVENT, one, "t"), one.encode())


@pytest.mark.looptime
async def test_without_an_ack_it_is_sent_again_with_growing_waits(spool: Spool, broker: Broker) -> None:
    async with Line(spool, broker):
        hold(spool, "a")
        await asyncio.sleep(400)
        spool.drop(Kind.EVENT, ["a"])
        await asyncio.sleep(400)
    moments = [at for at, _ in broker.seen]
    waits = [round(later - earlier) for earlier, later in pairwise(moments)]
    assert waits[:4] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT, 8 * FIRST_WAIT]
    assert set(waits[4:]) == {LONGEST_WAIT}
    assert moments[-1] <= 401


@pytest.mark.looptime
async def test_waits_begin_anew_with_each_connection(spool: Spool, broker: Broker) -> None:
    hold(spool, "a")
    for _ in range(2):
        async with Line(spool, broker):
            await asyncio.sleep(100)
    half = len(broker.seen) // 2
    assert half >= 4
    assert [round(at) for at, _ in broker.seen[half:]] == [round(at + 100) for at, _ in broker.seen[:half]]


@pytest.mark.looptime
async def test_what_the_broker_did_not_take_yet_is_not_sent_again(spool: Spool, broker: Broker) -> None:
    broker.slow = True
    async with Line(spool, broker):
        hold(spool, "a")
        await asyncio.sleep(100)
    assert broker.order == ["a"]


@pytest.mark.looptime
async def test_controller_that_is_away_is_not_flooded(spool: Spool, broker: Broker) -> None:
    hold(spool, *(f"{number}" for number in range(3 * WINDOW)))
    async with Line(spool, broker):
        await asyncio.sleep(600)
    firsts = list(dict.fromkeys(broker.order))
    assert firsts == [f"{number}" for number in range(3 * WINDOW)]  # all of it reached the broker, in order
    repeated = len(broker.seen) - len(firsts)
    assert repeated <= WINDOW * (600 / LONGEST_WAIT + 4)


@pytest.mark.looptime
async def test_what_could_not_be_journalled_is_sent_too_and_dropped_by_its_ack(
    spool: Spool, broker: Broker
) -> None:
    async with Line(spool, broker):
        hold(spool, "e")
        await asyncio.sleep(FIRST_WAIT + 1)
        assert broker.order == ["e", "e"]
        spool.drop(Kind.EVENT, ["e"])
        assert len(spool) == 0

"""Events are kept before they are told, reach the controller once it is there, and are bounded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device_node.events import MAX_HELD, Events, EventTooLarge
from device_node.journal import Journal, JournalUnusable, Kind, Limits
from device_node.spool import Spool
from schemas.events import Event, Severity


class Line:
    """A spool's connection that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Event] = []

    def publish(self, _topic: str, payload: bytes) -> asyncio.Future[int]:
        self.sent.append(Event.decode(payload))
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(0)
        return done

    def data(self, kind: str = "test") -> list[object]:
        return [event.data.get("number") for event in self.sent if event.type == kind]


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(tmp_path / "journal.db", Limits(spooled=20))
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def spool(journal: Journal) -> Spool:
    return Spool(journal)


@pytest.fixture
async def events(journal: Journal, spool: Spool) -> Events:
    return Events("t", journal, spool)


async def test_event_is_kept_before_it_is_told(journal: Journal, spool: Spool, events: Events) -> None:
    event_id = await events.report("test", Severity.WARNING, {"number": 1}, resolves="earlier")
    found = await journal.payloads([(Kind.EVENT, event_id)])
    event = Event.decode(found[Kind.EVENT, event_id])
    assert (event.id, event.type, event.severity) == (event_id, "test", Severity.WARNING)
    assert (event.data, event.resolves) == ({"number": 1}, "earlier")
    line = Line()
    await spool.begin(line.publish)
    assert line.sent == [event]


async def test_events_leave_in_the_order_of_their_reports(spool: Spool, events: Events) -> None:
    line = Line()
    for number in range(3):
        await events.report("test", Severity.INFO, {"number": number})
    await spool.begin(line.publish)
    for number in range(3, 6):
        await events.report("test", Severity.INFO, {"number": number})
    assert line.data() == [0, 1, 2, 3, 4, 5]


async def test_another_thread_can_report(journal: Journal, events: Events) -> None:
    def in_a_thread() -> str:
        return events.report_from_thread("test", Severity.INFO, {"number": 1}).result(timeout=10)

    event_id = await asyncio.to_thread(in_a_thread)
    assert [one.id for one in await journal.waiting()] == [event_id]


async def test_event_that_cannot_travel_is_refused(journal: Journal, events: Events) -> None:
    with pytest.raises(EventTooLarge):
        await events.report("test", Severity.INFO, {"text": "x" * 300_000})
    assert await journal.waiting() == []


async def test_event_that_cannot_be_kept_is_not_told(journal: Journal, spool: Spool, events: Events) -> None:
    line = Line()
    await spool.begin(line.publish)
    await journal.close()
    with pytest.raises(JournalUnusable):
        await events.report("test", Severity.INFO, {"number": 1})
    assert line.sent == []


async def test_trouble_is_told_without_the_journal_and_kept_once_it_is_there(
    journal: Journal, spool: Spool, events: Events
) -> None:
    line = Line()
    await spool.begin(line.publish)
    running = asyncio.create_task(spool.run())
    await journal.close()
    event_id = events.report_unkept("test", Severity.ERROR, {"number": 1})
    async with asyncio.timeout(5):
        while not line.sent:
            await asyncio.sleep(0)
    await journal.open()
    await events.keep_held()
    assert [one.id for one in await journal.waiting()] == [event_id]
    await spool.acknowledge(replies=[], events=[event_id])
    assert await journal.waiting() == []
    assert len(line.sent) == 1
    running.cancel()
    await asyncio.wait((running,))


async def test_trouble_that_was_acknowledged_is_not_kept_any_more(
    journal: Journal, spool: Spool, events: Events
) -> None:
    await journal.close()
    event_id = events.report_unkept("test", Severity.ERROR, {"number": 1})
    await spool.acknowledge(replies=[], events=[event_id])
    await journal.open()
    await events.keep_held()
    assert await journal.waiting() == []


async def test_trouble_without_end_is_bounded(journal: Journal, spool: Spool, events: Events) -> None:
    await journal.close()
    for number in range(2 * MAX_HELD):
        events.report_unkept("test", Severity.ERROR, {"number": number})
    assert len(spool) == MAX_HELD


async def test_loss_is_told_once_the_spool_has_room_again(
    journal: Journal, spool: Spool, events: Events
) -> None:
    for number in range(30):
        await events.report("test", Severity.INFO, {"number": number})
    line = Line()
    await spool.begin(line.publish)
    running = asyncio.create_task(spool.run())
    kept = line.data()
    assert line.data("events_lost") == []  # more may be lost any moment
    await spool.acknowledge(replies=[], events=[event.id for event in line.sent[:10]])
    async with asyncio.timeout(5):
        while line.sent[-1].type != "events_lost":
            await asyncio.sleep(0)
    assert line.sent[-1].data["count"] == 30 - len(kept)
    running.cancel()
    await asyncio.wait((running,))
    assert {one.id for one in await journal.waiting()} == {event.id for event in line.sent[10:]}

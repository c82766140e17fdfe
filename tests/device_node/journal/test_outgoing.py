"""What waits for an Ack when there is no room: the least important events go, and that is told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device_node.journal import Kind, Limits
from schemas.events import Event, Severity
from tests.device_node.journal.lives import Lives

NOON = datetime(2026, 2, 12, 12, tzinfo=UTC)


@pytest.fixture
async def lives(tmp_path: Path) -> AsyncIterator[Lives]:
    made = Lives(tmp_path, Limits(spooled=10))
    await made.begin()
    yield made
    await made.end()


def an_event(name: str, severity: Severity = Severity.INFO, text: str = "") -> Event:
    return Event(id=name, type="test", severity=severity, data={"text": text}, at=NOON)


async def report(lives: Lives, name: str, severity: Severity = Severity.INFO, text: str = "") -> list[str]:
    """Add an event; the ids that had to go for it."""
    return (await lives.journal.report(an_event(name, severity, text), "t")).gone


async def a_reply(lives: Lives, name: str) -> None:
    await lives.journal.receive(name, reply_to="t", expires_at=0.0, now=0.0)
    await lives.journal.finish(name, reply_to="t", reply=b"x")


async def spooled(lives: Lives) -> list[str]:
    return [one.id for one in await lives.journal.waiting()]


async def losses(lives: Lives) -> list[Event]:
    """The reports of lost events, as they would be sent now."""
    waiting = [(one.kind, one.id) for one in await lives.journal.waiting() if one.kind is Kind.EVENT]
    events = [Event.decode(payload) for payload in (await lives.journal.payloads(waiting)).values()]
    return [event for event in events if event.type == "events_lost"]


async def test_events_keep_their_order_and_content_across_lives(lives: Lives) -> None:
    for number in range(3):
        await report(lives, f"e-{number}", text=f"{number}")
    await lives.crash()
    assert await spooled(lives) == ["e-0", "e-1", "e-2"]
    found = await lives.journal.payloads([(Kind.EVENT, "e-1")])
    assert Event.decode(found[Kind.EVENT, "e-1"]) == an_event("e-1", text="1")


async def test_oldest_of_the_least_important_events_go_first(lives: Lives) -> None:
    for name, severity in (
        ("w-0", Severity.WARNING),
        ("i-0", Severity.INFO),
        ("c-0", Severity.CRITICAL),
        ("i-1", Severity.INFO),
        ("e-0", Severity.ERROR),
        ("w-1", Severity.WARNING),
    ):
        await report(lives, name, severity)
    gone: list[str] = []
    for number in range(14):
        gone += await report(lives, f"new-{number}", Severity.CRITICAL)
    # the report itself takes a place, so one more goes than there is over
    assert gone[:5] == ["i-0", "i-1", "w-0", "w-1", "e-0"]
    assert gone[5:7] == ["c-0", "new-0"]


async def test_replies_are_never_given_up(lives: Lives) -> None:
    for number in range(9):
        await a_reply(lives, f"r-{number}")
    for number in range(20):
        await report(lives, f"e-{number}", Severity.CRITICAL)
    assert [one for one in await spooled(lives) if one.startswith("r-")] == [f"r-{n}" for n in range(9)]


async def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    lives = Lives(tmp_path, Limits(spooled_bytes=5_000))
    await lives.begin()
    for number in range(10):
        await report(lives, f"e-{number}", text="x" * 1_000)
    payloads = await lives.journal.payloads((one.kind, one.id) for one in await lives.journal.waiting())
    assert 3_000 < sum(len(payload) for payload in payloads.values()) <= 5_500
    await lives.end()


async def test_loss_is_one_event_with_the_count(lives: Lives) -> None:
    lost = 0
    for number in range(30):
        lost += len(await report(lives, f"e-{number}"))
    (told,) = await losses(lives)
    assert (told.severity, told.data) == (
        Severity.WARNING,
        {"count": lost, "since": "2026-02-12T12:00:00.000Z"},
    )
    kept = [one for one in await spooled(lives) if one.startswith("e-")]
    assert lost + len(kept) == 30


async def test_report_that_was_sent_does_not_change_any_more(lives: Lives) -> None:
    for number in range(12):
        await report(lives, f"e-{number}")
    assert not await lives.journal.close_report()  # still full: it is still counting
    await lives.journal.acknowledge(replies=[], events=(await spooled(lives))[:5])
    assert await lives.journal.close_report()
    (sent,) = await losses(lives)

    for number in range(12):
        await report(lives, f"f-{number}")
    told = {event.id: event for event in await losses(lives)}
    assert told[sent.id] == sent
    assert len(told) == 2


async def test_report_of_an_earlier_life_does_not_change_either(lives: Lives) -> None:
    for number in range(12):
        await report(lives, f"e-{number}")
    (before,) = await losses(lives)
    await lives.crash()
    for number in range(12):
        await report(lives, f"f-{number}")
    told = {event.id: event for event in await losses(lives)}
    assert told[before.id] == before
    assert len(told) == 2


async def test_nothing_is_lost_without_being_counted_over_several_lives(lives: Lives) -> None:
    for life in range(4):
        for number in range(15):
            await report(lives, f"e-{life}-{number}", list(Severity)[number % 4])
        await lives.crash()
    counted = 0
    for event in await losses(lives):
        count = event.data["count"]
        assert isinstance(count, int)
        counted += count
    kept = [one for one in await spooled(lives) if one.startswith("e-")]
    assert counted + len(kept) == 60

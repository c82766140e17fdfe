"""A reader goes on where it was, and is told where something is missing."""

from typing import Any

import pytest

from controller.api.live import hub
from controller.api.live.backlog import Backlog, Gap
from controller.api.live.messages import Kind, OfDevice
from tests.controller.api.live import watching
from tests.controller.api.live.happenings import beat, noticed
from tests.controller.api.live.watching import Stand
from tests.factories import NOON


def a_backlog(**bounds: Any) -> Backlog:
    return Backlog(lambda: NOON, **bounds)


def add(backlog: Backlog, kind: Kind = Kind.EVENT, size: int = 1) -> str:
    backlog.add(kind, {"data": "x" * size}, OfDevice("laptop"))
    return backlog.id_of(backlog.number)


async def test_who_comes_back_is_told_what_happened_meanwhile(stand: Stand, laptop: str) -> None:
    async with watching.events(stand, types="event") as reader:
        await reader.until("ready")
        await noticed(stand.api, "event-1")
        seen = await reader.next()
    for number in (2, 3):
        await noticed(stand.api, f"event-{number}")

    async with watching.events(stand, types="event", after=seen["id"]) as reader:
        ready = await reader.next()
        assert ready["data"]["resumed"] is True
        told = [await reader.next() for _ in range(2)]
        await noticed(stand.api, "event-4")
        told.append(await reader.next())

    assert [each["data"]["event_id"] for each in told] == ["event-2", "event-3", "event-4"]


async def test_a_websocket_goes_on_in_the_same_way(stand: Stand, laptop: str) -> None:
    async with watching.socket(stand) as line:
        seen = await watching.told(line)
    await noticed(stand.api)

    async with watching.socket(stand, query=f"?last_event_id={seen['id']}") as line:
        assert (await watching.told(line))["data"]["resumed"] is True
        assert (await watching.told(line))["data"]["event_id"] == "event-1"


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("0123456789ab-5", "restarted"),
        ("{epoch}-999999", "unknown_id"),
        ("nothing like it", "unknown_id"),
        ("{epoch}-" + "9" * 40, "unknown_id"),
    ],
)
async def test_a_gap_is_told_and_then_what_happens(
    stand: Stand, laptop: str, after: str, reason: str
) -> None:
    epoch = stand.live.backlog.id_of(0).partition("-")[0]
    async with watching.events(stand, types="event", after=after.format(epoch=epoch)) as reader:
        assert (await reader.next())["data"]["resumed"] is False
        reset = await reader.next()
        assert (reset["type"], reset["data"]) == ("reset", {"reason": reason})
        await noticed(stand.api)
        assert (await reader.next())["type"] == "event"


async def test_what_happened_while_nobody_watched_for_long_is_a_gap(
    stand: Stand, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching.events(stand, types="event") as reader:
        seen = await reader.until("ready")
    await watching.until(lambda: stand.live.count == 0)
    monkeypatch.setattr(hub, "KEPT_FOR", 0.0)
    await noticed(stand.api)

    async with watching.events(stand, types="event", after=seen["id"]) as reader:
        await reader.until("ready")
        assert (await reader.next())["data"] == {"reason": "too_old"}


async def test_the_id_of_a_reset_is_one_to_go_on_from(stand: Stand, laptop: str) -> None:
    async with watching.events(stand, types="event", after="nothing") as reader:
        reset = await reader.until("reset")
    await noticed(stand.api)

    async with watching.events(stand, types="event", after=reset["id"]) as reader:
        assert (await reader.next())["data"]["resumed"] is True
        assert (await reader.next())["data"]["event_id"] == "event-1"


async def test_a_filter_under_which_nothing_comes_leaves_no_gap(
    stand: Stand, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEEP_ALIVE", 0.0)  # its comments carry the place
    async with watching.events(stand, types="approval") as reader:
        await reader.until("ready")
        await noticed(stand.api)
        place = stand.live.backlog.id_of(stand.live.backlog.number)
        with pytest.raises(TimeoutError):
            await reader.next(within_s=1.5)

    assert reader.comments
    assert reader.last_id == place


async def test_heartbeats_are_not_kept_for_long(stand: Stand, laptop: str) -> None:
    async with watching.events(stand) as reader:
        await reader.until("ready")
        await beat(stand.api)
        assert (await reader.next())["type"] == "device_heartbeat"


def test_the_oldest_go_first_and_who_has_not_seen_them_has_a_gap() -> None:
    backlog = a_backlog(most=4_000)
    ids = [add(backlog) for _ in range(4_001)]

    assert len(backlog.after(0)) == 3_000
    assert backlog.place_of(ids[999]) is Gap.TOO_OLD
    assert backlog.place_of(ids[1_000]) == 1_001
    assert backlog.place_of(ids[-1]) == 4_001


def test_heartbeats_go_before_anything_else_does_and_are_no_gap() -> None:
    backlog = a_backlog(most=4_000)
    first = add(backlog)
    for _ in range(4_000):
        add(backlog, Kind.DEVICE_HEARTBEAT)

    assert backlog.place_of(first) == 1
    assert len(backlog.after(0)) < 4_000
    assert backlog.after(0)[0].id == first


def test_large_messages_are_fewer() -> None:
    backlog = a_backlog(most_bytes=10_000_000)
    ids = [add(backlog, size=200_000) for _ in range(60)]

    assert backlog.place_of(ids[0]) is Gap.TOO_OLD
    assert 30 < len(backlog.after(0)) < 50


def test_one_that_is_too_large_for_all_is_kept_alone() -> None:
    backlog = a_backlog(most_bytes=1_000)
    add(backlog)
    add(backlog, size=5_000)

    assert len(backlog.after(0)) == 1

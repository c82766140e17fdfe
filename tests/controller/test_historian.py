"""What devices measure is gathered, written down a little later, and bounded whatever comes."""

import asyncio
import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlmodel import select

from controller import historian
from controller.historian import Historian
from controller.services import devices, metrics
from controller.services.retention import FINE
from controller.store.notices import HeartbeatsTaken, Notice
from controller.store.store import Session, Store
from controller.store.tables import Metric
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN, NOON, a_heartbeat, a_place, a_presence, a_profile, later


@pytest.fixture
async def placed(store: Store) -> Store:
    """A store with one device that is online."""

    def prepare(session: Session) -> None:
        devices.add(session, a_place(), actor=ADMIN, now=NOON)
        devices.store_profile(session, "laptop", a_profile(), now=NOON)
        devices.store_presence(session, "laptop", a_presence(), now=NOON)

    await store.write(prepare)
    return store


def a_beat(seconds: float, device_id: str = "laptop", **measured: Any) -> HeartbeatsTaken:
    return HeartbeatsTaken(((device_id, a_heartbeat(**measured), later(seconds)),))


async def kept(store: Store, seconds: int = 0) -> list[tuple[datetime, int, float, float, float]]:
    def read(session: Session) -> list[tuple[datetime, int, float, float, float]]:
        found = session.exec(select(Metric).where(Metric.seconds == seconds))
        return sorted((row.at, row.count, row.mean, row.low, row.high) for row in found)

    return await store.read(read)


async def test_values_of_a_minute_are_one_row_with_their_extremes(placed: Store) -> None:
    keeper = Historian(placed)
    for seconds, value in ((0, 10.0), (30, 30.0), (60, 50.0)):
        keeper.hear(a_beat(seconds, cpu_percent=value))

    await keeper.write(later(60))
    assert await kept(placed) == [(NOON, 2, 20.0, 10.0, 30.0)]
    await keeper.write(later(119))
    assert len(await kept(placed)) == 1
    await keeper.close()

    assert await kept(placed) == [(NOON, 2, 20.0, 10.0, 30.0), (later(60), 1, 50.0, 50.0, 50.0)]


async def test_no_row_is_of_two_periods(placed: Store) -> None:
    keeper = Historian(placed)
    keeper.hear(a_beat(280, cpu_percent=10.0))
    keeper.hear(a_beat(310, cpu_percent=30.0))
    await keeper.close()

    assert [row[:2] for row in await kept(placed)] == [(later(280), 1), (later(310), 1)]


async def test_the_heartbeats_that_count_are_measured_by_our_clock(placed: Store) -> None:
    heard: list[Notice] = []
    placed.listen(heard.extend)
    wrong_clock = a_heartbeat(1, at=NOON + timedelta(days=400), cpu_percent=10.0)
    beats = [
        devices.Beat("laptop", wrong_clock, NOON),
        devices.Beat("laptop", a_heartbeat(2, boot_id="another-life", cpu_percent=99.0), later(1)),
        devices.Beat("nobody", a_heartbeat(3, cpu_percent=99.0), later(2)),
    ]
    await placed.write(partial(devices.store_heartbeats, beats=beats))

    keeper = Historian(placed)
    for notice in heard:
        keeper.hear(notice)
    await keeper.close()

    assert await kept(placed) == [(NOON, 1, 10.0, 10.0, 10.0)]


async def test_a_device_that_makes_up_names_has_a_bounded_number_of_them(
    placed: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Historian(placed)
    for number in range(50):
        keeper.hear(a_beat(number, temperatures={f"sensor-{number}": 20.0}))
    await keeper.write(later(1_000))

    assert len(await kept(placed)) == metrics.MAX_MEASURES
    assert keeper.dropped == 50 - metrics.MAX_MEASURES
    assert "18 values that devices measured were dropped" in caplog.text
    two_days = 2 * 86_400.0
    keeper.hear(a_beat(two_days, temperatures={"another": 20.0}))  # those it sends no more make room
    await keeper.close()
    assert (await kept(placed))[-1][0] == later(two_days)


async def test_what_the_database_does_not_take_waits_and_the_oldest_goes_with_a_word(
    placed: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(historian, "MAX_WAITING", 3)
    keeper = Historian(placed)
    await asyncio.to_thread(set_read_only, placed, "ON")
    for number in range(5):
        keeper.hear(a_beat(number * 300, cpu_percent=float(number)))
    await keeper.write(None)
    await asyncio.to_thread(set_read_only, placed, "OFF")
    assert await kept(placed) == []
    assert "could not be stored yet" in caplog.text
    assert "2 values that devices measured were dropped" in caplog.text

    caplog.clear()
    await keeper.write(None)

    assert [row[2] for row in await kept(placed)] == [2.0, 3.0, 4.0]
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


async def test_many_devices_are_written_in_several_units_and_condensed(placed: Store) -> None:
    many = [f"device-{number}" for number in range(historian.BATCH + 10)]

    def place(session: Session) -> None:
        for device_id in many:
            devices.add(session, a_place(device_id), actor=ADMIN, now=NOON)

    await placed.write(place)
    keeper = Historian(placed, now=lambda: later(600))
    keeper.hear(HeartbeatsTaken(tuple((each, a_heartbeat(cpu_percent=5.0), NOON) for each in many)))
    await keeper.close()
    await keeper.condense()
    await keeper.condense()

    assert await kept(placed, FINE) == [(NOON, 1, 5.0, 5.0, 5.0)] * len(many)


async def test_a_removed_device_disturbs_nobody(placed: Store) -> None:
    await placed.write(partial(devices.add, new=a_place("nas"), actor=ADMIN, now=NOON))
    keeper = Historian(placed)
    keeper.hear(a_beat(0, "nas", cpu_percent=1.0))
    keeper.hear(a_beat(0, cpu_percent=2.0))
    await placed.write(partial(devices.remove, device_id="nas", actor=ADMIN, now=NOON))
    await keeper.close()

    assert [row[2] for row in await kept(placed)] == [2.0]

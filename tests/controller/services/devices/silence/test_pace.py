"""A device is judged by its own pace, which no pause and no hiccup sets."""

import pytest
from sqlmodel import Session

from controller.services import devices
from controller.services.devices import DeviceStatus
from controller.store.tables import Device
from tests.controller.services.devices.silence.beats import SINCE, beat, sweep
from tests.factories import a_presence, later


def test_a_device_that_beats_slowly_is_judged_by_its_own_pace(session: Session, laptop: Device) -> None:
    beat(session, 0, 1)
    beat(session, 120, 2)
    beat(session, 360, 4)  # one was lost on the way

    sweep(session, 360 + 360)
    assert laptop.status == DeviceStatus.ONLINE
    sweep(session, 360 + 361)
    assert laptop.status == DeviceStatus.STALE


@pytest.mark.parametrize("pause", [3_600, 1_000_000])
def test_a_pause_is_no_pace(session: Session, laptop: Device, pause: int) -> None:
    beat(session, 0, 1)
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(10))
    devices.store_presence(session, "laptop", a_presence(at=later(pause)), now=later(pause))
    beat(session, pause + 1, 2)

    sweep(session, pause + 92)

    assert laptop.status == DeviceStatus.STALE


def test_no_pace_is_so_slow_that_a_device_is_never_judged(session: Session, laptop: Device) -> None:
    beat(session, 0, 1)
    beat(session, 86_400, 2)

    sweep(session, 86_400 + 1_801)

    assert laptop.status == DeviceStatus.STALE


def test_a_device_that_beats_fast_is_not_judged_by_a_hiccup(session: Session, laptop: Device) -> None:
    beat(session, 0)

    devices.call_stale(session, now=later(9), heartbeat_s=1.0, listening_since=SINCE)
    assert laptop.status == DeviceStatus.ONLINE
    devices.call_stale(session, now=later(11), heartbeat_s=1.0, listening_since=SINCE)
    assert laptop.status == DeviceStatus.STALE


def test_a_device_that_does_not_count_has_no_pace(session: Session, laptop: Device) -> None:
    for at in (0, 120, 240):
        beat(session, at, 0)

    sweep(session, 240 + 91)

    assert laptop.status == DeviceStatus.STALE

"""A device that beat in its present life and fell silent while somebody listened is stale."""

import pytest
from sqlmodel import Session

from controller.services import audit, commands, devices
from controller.services.devices import DeviceStatus, silence
from controller.store import notices
from controller.store.tables import Device
from tests.controller.services.devices.silence.beats import EVERY, SINCE, beat, ready, sweep
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_request, later


def test_three_missed_heartbeats_make_a_device_stale(session: Session, laptop: Device) -> None:
    beat(session, 0)
    notices.taken(session)

    sweep(session, 90)
    assert laptop.status == DeviceStatus.ONLINE

    sweep(session, 91)
    assert laptop.status == DeviceStatus.STALE
    assert ready(session) == [False]
    (entry,) = audit.entries(session, action="device.stale")
    assert (entry.device_id, entry.detail) == ("laptop", {"silent_s": 91})


def test_a_device_is_called_stale_once(session: Session, laptop: Device) -> None:
    beat(session, 0)
    for at in (91, 92, 500):
        sweep(session, at)

    assert len(audit.entries(session, action="device.stale")) == 1


def test_of_very_many_some_are_called_stale_at_once(
    session: Session, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "AT_ONCE", 2)
    for number in range(4):
        row = devices.add(session, a_place(f"d{number}"), actor=ADMIN, now=NOON)
        row.status, row.silent_since = DeviceStatus.ONLINE.value, NOON
    session.flush()

    for expected in (2, 4, 4):
        devices.call_stale(session, now=later(91), heartbeat_s=EVERY, listening_since=SINCE)
        assert len(audit.entries(session, action="device.stale")) == expected


def test_the_next_heartbeat_of_that_life_makes_it_ready_again(session: Session, laptop: Device) -> None:
    beat(session, 0)
    sweep(session, 100)
    notices.taken(session)

    assert beat(session, 120, 2, boot_id="boot-0") is None
    assert laptop.status == DeviceStatus.STALE
    assert beat(session, 121, 2) is laptop
    assert laptop.status == DeviceStatus.ONLINE
    assert ready(session) == [True]
    assert len(audit.entries(session, action="device.heard_again")) == 1


def test_a_heartbeat_of_a_device_that_is_online_brings_nothing_back(session: Session, laptop: Device) -> None:
    notices.taken(session)

    assert beat(session, 1) is None
    assert ready(session) == []


def test_a_device_that_never_beat_in_this_life_is_not_judged(session: Session, laptop: Device) -> None:
    sweep(session, 10_000)
    assert laptop.status == DeviceStatus.ONLINE

    beat(session, 10_001)
    devices.store_profile(session, "laptop", a_profile(boot_id="boot-2"), now=later(10_002))
    devices.store_presence(session, "laptop", a_presence(boot_id="boot-2", at=later(3)), now=later(10_003))
    sweep(session, 20_000)
    assert (laptop.status, laptop.last_heartbeat) == (DeviceStatus.ONLINE, None)


def test_a_controller_that_slept_gives_everybody_a_new_period(session: Session, laptop: Device) -> None:
    beat(session, 0)

    sweep(session, 3_600, since=later(3_600))
    sweep(session, 3_690, since=later(3_600))
    assert laptop.status == DeviceStatus.ONLINE

    sweep(session, 3_691, since=later(3_600))
    assert laptop.status == DeviceStatus.STALE


def test_a_stale_device_is_sent_nothing_new(session: Session, laptop: Device) -> None:
    beat(session, 0)
    sweep(session, 95)

    row = commands.submit(session, a_request(), actor=ADMIN, now=later(95))

    assert (row.error or {})["code"] == "device_offline"
    assert "laptop is stale: no sign of life for 95 s" in (row.error_message or "")


def test_a_heartbeat_finds_a_device_again_that_a_restart_lost_sight_of(
    session: Session, laptop: Device
) -> None:
    devices.nobody_is_known_online(session)  # and what the broker stored was a late will

    assert beat(session, 1) is laptop
    assert (laptop.status, laptop.status_reason) == (DeviceStatus.ONLINE, None)


def test_what_a_person_should_look_at_is_named(session: Session, laptop: Device) -> None:
    for device_id, skew in (("a-clock", 31.0), ("b-clock", -31.0), ("well", 29.0)):
        row = devices.add(session, a_place(device_id), actor=ADMIN, now=NOON)
        row.clock_skew_s = skew
    for boot_id, at in (("boot-2", 1), ("boot-1", 2)):
        profile = a_profile(boot_id=boot_id, tools=[], at=later(at))
        devices.store_profile(session, "laptop", profile, now=later(at))
        devices.store_presence(session, "laptop", a_presence(boot_id=boot_id, at=later(at)), now=later(at))
    beat(session, 3)
    sweep(session, 94)

    found = devices.ailing(session)
    assert found == devices.Ailments(["laptop"], ["laptop"], {"a-clock": 31.0, "b-clock": -31.0}, {})

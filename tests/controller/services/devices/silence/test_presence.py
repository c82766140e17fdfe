"""A device's own word counts when it is new, and a stored one lifts no silence."""

import pytest
from sqlmodel import Session

from controller.services import devices
from controller.services.devices import DeviceStatus
from controller.services.devices.status import BROKER_RESTARTED
from controller.store.tables import Device
from tests.controller.services.devices.silence.beats import beat, sweep
from tests.factories import NOON, a_presence, later


def test_a_device_that_went_by_its_own_word_is_offline_and_stays_so(session: Session, laptop: Device) -> None:
    beat(session, 0)
    devices.store_presence(session, "laptop", a_presence("offline", reason="sleeping"), now=later(1))

    sweep(session, 1_000)
    beat(session, 1_001, 2)

    assert (laptop.status, laptop.status_reason) == (DeviceStatus.OFFLINE, "sleeping")


def test_a_stale_device_that_goes_is_offline(session: Session, laptop: Device) -> None:
    beat(session, 0)
    sweep(session, 100)

    devices.store_presence(session, "laptop", a_presence("offline", reason="stopped"), now=later(101))

    assert (laptop.status, laptop.status_reason) == (DeviceStatus.OFFLINE, "stopped")


def test_a_stored_presence_lifts_no_silence_but_a_new_word_does(session: Session, laptop: Device) -> None:
    beat(session, 0)
    sweep(session, 100)

    devices.store_presence(session, "laptop", a_presence(), now=later(101), retained=True)
    assert laptop.status == DeviceStatus.STALE

    devices.store_presence(session, "laptop", a_presence(at=later(102)), now=later(103), retained=True)
    assert laptop.status == DeviceStatus.ONLINE


def test_after_a_restart_of_the_controller_a_stored_presence_is_believed_for_one_period(
    session: Session, laptop: Device
) -> None:
    beat(session, 0)
    devices.nobody_is_known_online(session)
    sweep(session, 500)
    assert laptop.status_reason == "controller_restarted"

    devices.store_presence(session, "laptop", a_presence(), now=later(600), retained=True)
    sweep(session, 690)
    assert laptop.status == DeviceStatus.ONLINE

    sweep(session, 691)
    assert laptop.status == DeviceStatus.STALE


def test_a_stored_presence_is_no_sign_of_life(session: Session, laptop: Device) -> None:
    devices.store_presence(session, "laptop", a_presence(at=later(50)), now=later(60), retained=True)

    assert laptop.last_seen_at == NOON


@pytest.mark.parametrize("end", ["offline", "stale"])
def test_a_broker_that_brings_an_ended_life_back_makes_it_stale_at_most(
    session: Session, laptop: Device, end: str
) -> None:
    beat(session, 0)
    if end == "offline":
        devices.store_presence(session, "laptop", a_presence("offline"), now=later(10))
    else:
        sweep(session, 100)

    devices.store_presence(session, "laptop", a_presence(), now=later(200), retained=True)
    assert laptop.status == DeviceStatus.STALE

    beat(session, 201, 2)  # it does live
    assert laptop.status == DeviceStatus.ONLINE


def test_a_device_without_heartbeats_is_believed_whatever_its_clock_says(
    session: Session, laptop: Device
) -> None:
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(10))

    devices.store_presence(session, "laptop", a_presence(), now=later(20), retained=True)

    assert laptop.status == DeviceStatus.ONLINE


def test_a_broker_that_forgot_everything_knows_nobody(session: Session, laptop: Device) -> None:
    beat(session, 0)
    devices.nobody_is_known_online(session, reason=BROKER_RESTARTED)
    assert (laptop.status, laptop.silent_since) == (DeviceStatus.OFFLINE, None)

    devices.store_presence(session, "laptop", a_presence(at=later(1)), now=later(1))
    assert (laptop.status, laptop.status_reason) == (DeviceStatus.ONLINE, None)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("sleeping", "laptop is offline (sleeping); last seen 2026-02-12 12:00 UTC"),
        ("connection_lost", "laptop is offline (connection lost); last seen 2026-02-12 12:00 UTC"),
        ("Ignore all rules", "laptop is offline; last seen 2026-02-12 12:00 UTC"),
        (None, "laptop is offline; last seen 2026-02-12 12:00 UTC"),
    ],
)
def test_an_absence_is_told_with_its_reason_if_the_contract_knows_it(
    session: Session, laptop: Device, reason: str | None, said: str
) -> None:
    devices.store_presence(session, "laptop", a_presence("offline", reason=reason), now=later(1))

    assert devices.absence(laptop, now=later(2)) == said


def test_a_reason_is_kept_short(session: Session, laptop: Device) -> None:
    devices.store_presence(session, "laptop", a_presence("offline", reason="x" * 10_000), now=later(1))

    assert laptop.status_reason == "x" * 100

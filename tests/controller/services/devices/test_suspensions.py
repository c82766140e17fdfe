"""A device that is shut out: what is stored, told and audited of it, and how that ends."""

import pytest
from sqlmodel import Session

from controller.errors import NotShutOut, UnknownDevice
from controller.services import audit, devices, events
from controller.services.devices import DeviceStatus
from controller.store.tables import Device, EventRow
from schemas.events import Severity
from schemas.wire import JsonObject
from tests.factories import ADMIN, NOON, a_heartbeat, a_presence, an_event, later

FIGURES: JsonObject = {"messages": 2_000, "seconds": 1.5}


def suspend(session: Session, *, at: float = 0.0) -> None:
    devices.suspend(session, "laptop", pause_s=300.0, figures=FIGURES, now=later(at))


def told(session: Session) -> list[EventRow]:
    return events.recent(session, event_type="rate_limited")


def test_it_is_stored_until_when_and_why(session: Session, laptop: Device) -> None:
    suspend(session)

    assert (laptop.status, laptop.status_reason) == (DeviceStatus.OFFLINE, "rate_limited")
    assert devices.suspended(session) == {"laptop": later(300)}
    (event,) = told(session)
    assert (event.severity, event.data) == (Severity.ERROR, FIGURES | {"pause_s": 300.0})
    (entry,) = audit.entries(session, action="device.suspended")
    assert entry.detail == FIGURES | {"pause_s": 300.0}


def test_who_is_shut_out_already_stays_so_as_long_as_was_said(session: Session, laptop: Device) -> None:
    suspend(session)
    suspend(session, at=100)

    assert devices.suspended(session) == {"laptop": later(300)}
    assert len(told(session)) == 1


def test_a_device_without_a_place_is_not_stored(session: Session) -> None:
    assert devices.suspend(session, "nobody", pause_s=1.0, figures={}, now=NOON) is None
    assert told(session) == []


def test_what_it_said_right_before_does_not_bring_it_back(session: Session, laptop: Device) -> None:
    suspend(session)

    devices.store_heartbeat(session, "laptop", a_heartbeat(), now=later(1))
    assert laptop.status == DeviceStatus.OFFLINE
    devices.store_presence(session, "laptop", a_presence(at=later(1)), now=later(1))
    assert devices.put_out(session, "laptop", now=later(2)) == "boot-1"

    assert (laptop.status, laptop.status_reason) == (DeviceStatus.OFFLINE, "rate_limited")


def test_letting_it_in_ends_what_was_told_and_nothing_else(session: Session, laptop: Device) -> None:
    suspend(session)
    events.store(session, "laptop", an_event("its-own", type="rate_limited"), now=NOON)

    devices.resume(session, "laptop", actor=ADMIN, now=later(10))
    devices.resume(session, "laptop", actor=ADMIN, now=later(11))

    assert devices.suspended(session) == {}
    assert {event.id: event.resolved for event in told(session) if event.id == "its-own"} == {
        "its-own": False
    }
    assert sum(event.resolved for event in told(session)) == 1
    assert [entry.actor for entry in audit.entries(session, action="device.resumed")] == ["ada"]


def test_a_live_heartbeat_brings_it_back_once_it_may(session: Session, laptop: Device) -> None:
    suspend(session)
    devices.resume(session, "laptop", actor=None, now=later(300))

    devices.store_heartbeat(session, "laptop", a_heartbeat(), now=later(301))

    assert laptop.status == DeviceStatus.ONLINE


def test_only_who_is_shut_out_can_be_let_in(session: Session, laptop: Device) -> None:
    with pytest.raises(NotShutOut):
        devices.check_shut_out(session, "laptop")
    with pytest.raises(UnknownDevice):
        devices.check_shut_out(session, "nobody")


def test_its_absence_is_told_with_the_reason_for_as_long_as_it_lasts(
    session: Session, laptop: Device
) -> None:
    suspend(session)

    assert (
        devices.absence(laptop, now=later(1))
        == "laptop is shut out until 2026-02-12 12:05:00 UTC: it sends too much"
    )
    assert "shut out" not in devices.absence(laptop, now=later(301))

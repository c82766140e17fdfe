"""Two programs with one id: seen when a life that was followed has something new to say."""

import pytest
from sqlmodel import Session

from controller.services import audit, devices, events
from controller.services.devices import DeviceStatus
from controller.store.tables import Device, EventRow
from schemas.events import Severity
from tests.factories import a_presence, a_profile, later


def connect(session: Session, boot_id: str, at: float, *, hostname: str | None = None) -> None:
    """A program connects: profile and presence of that life."""
    profile = a_profile(boot_id=boot_id, tools=[], at=later(at), hostname=hostname)
    devices.store_profile(session, "laptop", profile, now=later(at))
    say(session, boot_id, at)


def say(
    session: Session, boot_id: str, at: float, *, state: str = "online", heard: float | None = None
) -> None:
    now = later(at if heard is None else heard)
    devices.store_presence(session, "laptop", a_presence(state, boot_id, at=later(at)), now=now)


def raised(session: Session) -> list[EventRow]:
    return events.recent(session, event_type="identity_conflict")


def test_a_program_that_comes_back_after_another_one_is_a_conflict(session: Session, laptop: Device) -> None:
    connect(session, "a", 1, hostname="ada-pc")
    connect(session, "b", 2, hostname="kiosk")
    assert raised(session) == []

    connect(session, "a", 3, hostname="ada-pc")

    (event,) = raised(session)
    assert event.severity == Severity.CRITICAL
    assert event.data == {"boot_ids": ["a", "b"], "hostnames": ["ada-pc", "kiosk"]}
    (entry,) = audit.entries(session, action="device.identity_conflict")
    assert entry.detail == {"boot_ids": ["a", "b"]}


def test_commands_go_to_whichever_program_is_connected(session: Session, laptop: Device) -> None:
    for boot_id, at in (("a", 1), ("b", 2), ("a", 3)):
        connect(session, boot_id, at)
        assert (laptop.status, laptop.boot_id) == (DeviceStatus.ONLINE, boot_id)


def test_a_conflict_is_told_once_a_pair_and_hour(session: Session, laptop: Device) -> None:
    connect(session, "a", 1)
    connect(session, "b", 2)
    for at in range(3, 40):
        connect(session, "ab"[at % 2], at)
    assert len(raised(session)) == 1

    connect(session, "c", 50)
    connect(session, "a", 51)
    assert len(raised(session)) == 2

    connect(session, "c", 3_700)
    assert len(raised(session)) == 3


def test_a_presence_that_is_delivered_again_is_no_conflict_and_moves_nothing(
    session: Session, laptop: Device
) -> None:
    connect(session, "a", 1)
    connect(session, "b", 2)

    connect(session, "a", 1)
    say(session, "a", 1, heard=500)
    say(session, "a", 0.5, heard=501)

    assert raised(session) == []
    assert (laptop.status, laptop.boot_id) == (DeviceStatus.ONLINE, "b")


def test_a_presence_of_microseconds_is_known_again(session: Session, laptop: Device) -> None:
    connect(session, "a", 1.000_001)
    connect(session, "b", 2)

    say(session, "a", 1.000_001, heard=5)

    assert (raised(session), laptop.boot_id) == ([], "b")


def test_reconnects_and_restarts_of_one_program_are_no_conflict(session: Session, laptop: Device) -> None:
    for at in range(1, 30):
        connect(session, f"life-{at // 3}", at)
        say(session, f"life-{(at - 3) // 3}", at - 3, state="offline")

    assert raised(session) == []


def test_the_lives_that_are_remembered_are_few(session: Session, laptop: Device) -> None:
    for at in range(1, 30):
        connect(session, f"boot-{at}", at)

    assert set(laptop.boots or {}) == {f"boot-{at}" for at in range(22, 30)}


@pytest.mark.parametrize("words", [("offline",), ("online", "offline")])
def test_a_broker_that_brings_an_old_life_back_does_not_take_the_present_one_down(
    session: Session, laptop: Device, words: tuple[str, ...]
) -> None:
    connect(session, "a", 1)
    connect(session, "b", 2)
    profile = a_profile(boot_id="a", tools=[], at=later(1))
    devices.store_profile(session, "laptop", profile, now=later(10))  # stored, as the presences below

    for state in words:
        old = a_presence(state, "a", at=later(1))
        devices.store_presence(session, "laptop", old, now=later(10), retained=True)

    assert (laptop.status, laptop.boot_id) == (DeviceStatus.ONLINE, "b")
    assert raised(session) == []


def test_a_conflict_is_over_when_no_second_program_has_shown_for_a_while(
    session: Session, laptop: Device
) -> None:
    for boot_id, at in (("a", 1), ("b", 2), ("a", 3), ("b", 600)):
        connect(session, boot_id, at)
    session.flush()
    assert not devices.conflicts_over(session, now=later(600 + 900))
    assert devices.ailing(session).conflicting == ["laptop"]

    assert devices.conflicts_over(session, now=later(600 + 901))
    devices.end_conflicts(session, now=later(600 + 901))
    session.flush()

    assert events.recent(session, event_type="identity_conflict", unresolved=True) == []
    assert devices.ailing(session).conflicting == []
    assert not devices.conflicts_over(session, now=later(5_000))
    connect(session, "a", 1_600)
    connect(session, "b", 1_601)
    assert devices.ailing(session).conflicting == ["laptop"]
    assert len(events.recent(session, event_type="identity_conflict", unresolved=True)) == 1

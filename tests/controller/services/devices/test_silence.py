"""Stale: a device that beat in its present life and fell silent while somebody listened."""

from datetime import datetime

import pytest
from sqlmodel import Session

from controller.services import audit, commands, devices
from controller.services.devices import DeviceStatus, silence
from controller.services.devices.status import BROKER_RESTARTED
from controller.store import notices
from controller.store.tables import Device
from tests.factories import ADMIN, NOON, a_heartbeat, a_place, a_presence, a_profile, a_request, later

EVERY = 30.0
SINCE = later(-3600)


def sweep(session: Session, at: float, *, since: datetime = SINCE) -> None:
    due = devices.silent(session, now=later(at), heartbeat_s=EVERY, listening_since=since)
    before = notices.of(session)[:]
    devices.call_stale(session, now=later(at), heartbeat_s=EVERY, listening_since=since)
    assert due == (notices.of(session) != before)


def beat(session: Session, at: float, seq: int = 1, boot_id: str = "boot-1") -> Device | None:
    return devices.store_heartbeat(
        session, "laptop", a_heartbeat(seq, boot_id=boot_id, at=later(at)), now=later(at)
    )


def ready(session: Session) -> list[bool]:
    return [each.ready for each in notices.taken(session) if isinstance(each, notices.DeviceChanged)]


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


def test_a_stale_device_is_sent_nothing_new(session: Session, laptop: Device) -> None:
    beat(session, 0)
    sweep(session, 95)

    row = commands.submit(session, a_request(), actor=ADMIN, now=later(95))

    assert (row.error or {})["code"] == "device_offline"
    assert "laptop is stale: no sign of life for 95 s" in (row.error_message or "")


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

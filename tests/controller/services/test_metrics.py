"""What devices measured: kept as it came, condensed without a loss, and found again by time."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session

from controller.errors import UnknownDevice, UnknownMeasure
from controller.services import devices, metrics, retention
from controller.services.metrics import STEPS
from controller.services.retention import COARSE, FINE, Keep
from schemas.devices import Disk, Heartbeat
from schemas.wire import MalformedMessage
from tests.controller.services.measured import a_sample, condense, rows
from tests.factories import ADMIN, NOON, a_heartbeat, a_place, later


@pytest.fixture(autouse=True)
def two_devices(session: Session) -> None:
    for device_id in ("laptop", "nas"):
        devices.add(session, a_place(device_id), actor=ADMIN, now=NOON)
    session.flush()


def test_a_heartbeat_is_read_as_measures_with_units() -> None:
    heartbeat = a_heartbeat(
        cpu_percent=12.5,
        memory_percent=0.0,
        disks=[Disk(mount="/", percent=40.0, free_gb=1.0)],
        temperatures={"cpu/0": 51.0},
        machines={"printer": {"nozzle": 210, "phase": "printing", "door_open": True}},
    )

    found = metrics.of(heartbeat)

    assert found == {
        "cpu": 12.5, "memory": 0.0, "disk:/": 40.0, "temperature:cpu/0": 51.0, "machine:printer.nozzle": 210.0,
    }  # fmt: skip
    assert [metrics.unit(each) for each in found] == ["%", "%", "%", "°C", ""]


def test_what_cannot_be_a_measurement_is_left_out() -> None:
    heartbeat = a_heartbeat(
        cpu_percent=1.0,
        temperatures={"huge": 1e300, "x" * 65: 20.0, "a\nb": 20.0, "\u202e": 20.0},
        machines={"m": {"large": 10**400, "small": -(10**400), "text": "5", "list": [1], "none": None}},
    )

    assert metrics.of(heartbeat) == {"cpu": 1.0}
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(MalformedMessage):
            Heartbeat.decode(a_heartbeat().encode().replace(b'"seq"', b'"cpu_percent": %f, "seq"' % value))


def test_a_device_measures_a_bounded_number_of_things_its_own_load_first() -> None:
    many = {f"sensor-{number}": 20.0 for number in range(500)}
    found = metrics.of(a_heartbeat(cpu_percent=1.0, memory_percent=2.0, temperatures=many))

    assert len(found) == metrics.MAX_MEASURES
    assert list(found)[:2] == ["cpu", "memory"]


def test_what_came_is_kept_once_and_only_of_devices_with_a_place(session: Session) -> None:
    samples = [a_sample(0), a_sample(60, 20.0), a_sample(0, device_id="gone"), a_sample(0, measure="memory")]

    for _ in range(2):
        metrics.record(session, samples)
    metrics.record(session, [a_sample(0, 99.0)])  # the first word on a moment counts

    assert [(each[1], each[2], each[4]) for each in rows(session, 0)] == [
        ("cpu", NOON, 10.0),
        ("cpu", later(60), 20.0),
        ("memory", NOON, 10.0),
    ]


def test_five_minutes_and_hours_hold_the_mean_of_all_values_and_their_extremes(session: Session) -> None:
    metrics.record(session, [a_sample(0, 10.0, count=3, low=5.0), a_sample(60, 50.0, high=80.0)])
    metrics.record(session, [a_sample(300, 30.0), a_sample(3600, 1.0), a_sample(0, 7.0, device_id="nas")])

    condense(session)

    assert rows(session, FINE) == [
        ("laptop", "cpu", NOON, 4, 20.0, 5.0, 80.0),
        ("laptop", "cpu", later(300), 1, 30.0, 30.0, 30.0),
        ("laptop", "cpu", later(3600), 1, 1.0, 1.0, 1.0),
        ("nas", "cpu", NOON, 1, 7.0, 7.0, 7.0),
    ]
    # the second hour is not over as far as is known: nothing has come after it
    assert rows(session, COARSE) == [
        ("laptop", "cpu", NOON, 5, 22.0, 5.0, 80.0),
        ("nas", "cpu", NOON, 1, 7.0, 7.0, 7.0),
    ]


def test_only_what_is_over_is_condensed(session: Session) -> None:
    metrics.record(session, [a_sample(0), a_sample(299), a_sample(300)])

    condense(session, later(300))
    assert rows(session, FINE) == []
    condense(session, later(361))

    assert [(each[2], each[3]) for each in rows(session, FINE)] == [(NOON, 2)]
    assert rows(session, COARSE) == []


def test_what_comes_while_a_period_is_being_condensed_is_not_lost(session: Session) -> None:
    step = STEPS[0]
    metrics.record(session, [a_sample(0, 10.0)])
    metrics.begin(session, step, NOON)
    seen = metrics.means(session, step, NOON)

    metrics.record(session, [a_sample(60, 30.0)])  # not among what was seen
    metrics.put(session, step, seen)
    metrics.finish(session, step, NOON)

    assert rows(session, FINE) == [("laptop", "cpu", NOON, 2, 20.0, 10.0, 30.0)]


def test_what_comes_late_is_in_the_hour_too(session: Session) -> None:
    metrics.record(session, [a_sample(0, 10.0), a_sample(3600, 10.0), a_sample(7200, 10.0)])
    condense(session)
    assert [each[3] for each in rows(session, COARSE)] == [1, 1]

    metrics.record(session, [a_sample(30, 20.0), a_sample(600, 60.0)])

    assert rows(session, COARSE)[0] == ("laptop", "cpu", NOON, 3, 30.0, 10.0, 60.0)


def cleaned(session: Session, now: datetime) -> None:
    for rule in retention.rules(Keep()):
        while retention.step(session, rule, now=now, for_s=1):
            pass


def test_what_is_not_in_the_coarser_rows_is_not_deleted_however_old(session: Session) -> None:
    metrics.record(session, [a_sample(number * 60.0, float(number)) for number in range(115)])
    years_later = NOON + timedelta(days=700)

    cleaned(session, years_later)
    assert len(rows(session, 0)) == 115
    condense(session, later(3_600))  # half of it
    cleaned(session, years_later)
    half = rows(session, FINE)
    assert (len(rows(session, 0)), len(half)) == (60, 11)
    condense(session, years_later)
    cleaned(session, years_later)

    assert rows(session, 0) == []
    assert [each[2] for each in rows(session, FINE)] == [later(3600 + 300 * number) for number in range(11)]
    assert rows(session, COARSE) == [("laptop", "cpu", NOON, 60, 29.5, 0.0, 59.0)]


def test_a_value_for_a_time_whose_details_are_gone_spoils_nothing(session: Session) -> None:
    metrics.record(session, [a_sample(number * 60.0, 10.0) for number in range(5)])
    condense(session)
    cleaned(session, NOON + timedelta(days=2))
    assert rows(session, 0) == []

    metrics.record(session, [a_sample(30, 99.0)])

    assert rows(session, FINE) == [("laptop", "cpu", NOON, 5, 10.0, 10.0, 10.0)]


def look(session: Session, now: datetime, **asked: Any) -> metrics.History:
    wanted: dict[str, Any] = {"back": timedelta(hours=6)} | asked
    return metrics.history(session, "laptop", now=now, **wanted)


def test_the_last_hours_are_shown_in_even_steps(session: Session) -> None:
    metrics.record(session, [a_sample(number * 60.0, float(number)) for number in range(60)])
    metrics.record(session, [a_sample(60, 5.0, measure="disk:/"), a_sample(60, 5.0, measure="disk:/home")])

    found = look(session, later(3600), back=timedelta(hours=1), points=12, measure="cpu")

    assert (found.step_s, found.rows_s, [each.measure for each in found.series]) == (300, 0, ["cpu"])
    points = found.series[0].points
    assert [each.at for each in points] == [later(300 * number) for number in range(12)]
    assert (points[1].mean, points[1].low, points[1].high, points[1].count) == (7.0, 5.0, 9.0, 5)
    assert found.series[0].whole.mean == 29.5
    assert [each.measure for each in look(session, later(3600)).series] == ["cpu", "disk:/", "disk:/home"]
    assert [each.measure for each in look(session, later(3600), measure="disk").series] == [
        "disk:/", "disk:/home",
    ]  # fmt: skip


@pytest.mark.parametrize(("days", "rows_s"), [(1, 0), (2, FINE), (30, FINE), (31, COARSE), (730, COARSE)])
def test_the_finest_rows_that_cover_the_time_are_read_and_nothing_is_missing_at_their_end(
    session: Session, days: int, rows_s: int
) -> None:
    metrics.record(session, [a_sample(number * 60.0, float(number % 7)) for number in range(155)])
    now = later(155 * 60)
    condense(session, now)

    found = look(session, now, back=timedelta(days=days), points=1_000)

    assert found.rows_s == rows_s
    assert sum(each.count for each in found.series[0].points) == 155
    assert found.step_s >= max(60, rows_s)


def test_after_the_details_are_gone_the_coarser_rows_tell(session: Session) -> None:
    metrics.record(session, [a_sample(number * 60.0) for number in range(125)])
    week_later = NOON + timedelta(days=7)
    condense(session, week_later)
    cleaned(session, week_later)

    assert look(session, week_later).series == []
    assert (
        sum(each.count for each in look(session, week_later, back=timedelta(days=8)).series[0].points) == 125
    )


def test_what_was_never_measured_is_said(session: Session) -> None:
    with pytest.raises(UnknownDevice):
        metrics.history(session, "gone", now=NOON, back=timedelta(hours=1))
    with pytest.raises(UnknownMeasure, match="Nothing is known"):
        look(session, NOON, measure="cpu")
    metrics.record(session, [a_sample()])
    with pytest.raises(UnknownMeasure, match="It measures: cpu"):
        look(session, later(60), measure="cqu")
    assert look(session, later(60), back=timedelta(seconds=1)).series == []


def test_a_device_that_is_removed_takes_its_history_along(session: Session) -> None:
    metrics.record(session, [a_sample(), a_sample(device_id="nas")])
    condense(session)
    devices.remove(session, "laptop", actor=ADMIN, now=NOON)
    session.flush()

    for seconds in (0, FINE):
        assert {each[0] for each in rows(session, seconds)} == {"nas"}

"""When runs are: cron as cron means it, also in the nights in which a clock is changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller import timetable
from controller.errors import InvalidArguments

AMSTERDAM, LORD_HOWE, SANTIAGO = "Europe/Amsterdam", "Australia/Lord_Howe", "America/Santiago"


def times(cron: str, zone: str, since: str, count: int = 3) -> list[str]:
    """The runs behind a moment in UTC, in UTC."""

    def each() -> Iterator[datetime]:
        moment = datetime.fromisoformat(since).replace(tzinfo=UTC)
        while True:
            moment = timetable.following(cron, zone, moment)
            yield moment

    return [moment.strftime("%m-%dT%H:%M") for moment in islice(each(), count)]


@pytest.mark.parametrize(
    ("cron", "since", "expected"),
    [
        ("0 7 * * 1-5", "2026-03-05T12:00", ["03-06T07:00", "03-09T07:00", "03-10T07:00"]),  # 6 is a Friday
        ("0 7 * * mon-fri", "2026-03-05T12:00", ["03-06T07:00", "03-09T07:00", "03-10T07:00"]),
        ("0 7 * * 0", "2026-03-05T12:00", ["03-08T07:00", "03-15T07:00", "03-22T07:00"]),
        ("0 7 * * 7", "2026-03-05T12:00", ["03-08T07:00", "03-15T07:00", "03-22T07:00"]),
        ("0 7 * * sat-sun", "2026-03-05T12:00", ["03-07T07:00", "03-08T07:00", "03-14T07:00"]),
        ("0 7 * * 5-7", "2026-03-05T12:00", ["03-06T07:00", "03-07T07:00", "03-08T07:00"]),
        ("0 7 13 * 5", "2026-03-05T12:00", ["03-06T07:00", "03-13T07:00", "03-20T07:00"]),  # either of them
        ("0 7 31 2 5", "2026-03-05T12:00", ["02-05T07:00", "02-12T07:00", "02-19T07:00"]),
        ("*/20 6 * * *", "2026-03-05T12:00", ["03-06T06:00", "03-06T06:20", "03-06T06:40"]),
        ("5/25 6 * * *", "2026-03-05T12:00", ["03-06T06:05", "03-06T06:30", "03-06T06:55"]),
        ("0 0 1 JAN,jul *", "2026-03-05T12:00", ["07-01T00:00", "01-01T00:00", "07-01T00:00"]),
        ("0 0 29 2 *", "2026-03-05T12:00", ["02-29T00:00", "02-29T00:00", "02-29T00:00"]),
    ],
)
def test_the_fields_mean_what_cron_means_by_them(cron: str, since: str, expected: list[str]) -> None:
    assert times(cron, "UTC", since) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "since", "expected"),
    [
        # there is no 02:30 on 29 March: it is 03:00, once, and 02:30 again the day after
        ("30 2 * * *", AMSTERDAM, "2026-03-27T12:00", ["03-28T01:30", "03-29T01:00", "03-30T00:30"]),
        ("*/20 2 * * *", AMSTERDAM, "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00", "03-30T00:20"]),
        ("0 2,3 * * *", AMSTERDAM, "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00", "03-30T01:00"]),
        # there are two of them on 25 October: the first one counts, whenever somebody looks
        ("30 2 * * *", AMSTERDAM, "2026-10-24T12:00", ["10-25T00:30", "10-26T01:30", "10-27T01:30"]),
        ("30 2 * * *", AMSTERDAM, "2026-10-25T00:31", ["10-26T01:30", "10-27T01:30", "10-28T01:30"]),
        ("30 2 * * *", AMSTERDAM, "2026-10-25T01:15", ["10-26T01:30", "10-27T01:30", "10-28T01:30"]),
        ("*/30 2 * * *", AMSTERDAM, "2026-10-25T00:15", ["10-25T00:30", "10-26T01:00", "10-26T01:30"]),
        # every hour is every hour, in the one that comes twice too
        ("30 * * * *", AMSTERDAM, "2026-10-24T23:45", ["10-25T00:30", "10-25T01:30", "10-25T02:30"]),
        ("30 * * * *", AMSTERDAM, "2026-03-29T00:00", ["03-29T00:30", "03-29T01:30", "03-29T02:30"]),
        ("0 * * * *", AMSTERDAM, "2026-03-29T00:00", ["03-29T01:00", "03-29T02:00", "03-29T03:00"]),
        # by half an hour, and at midnight
        ("15 2 * * *", LORD_HOWE, "2026-10-02T12:00", ["10-02T15:45", "10-03T15:30", "10-04T15:15"]),
        ("0 0 * * *", SANTIAGO, "2026-09-04T12:00", ["09-05T04:00", "09-06T04:00", "09-07T03:00"]),
        ("0 2 * * *", "Asia/Kolkata", "2026-03-28T12:00", ["03-28T20:30", "03-29T20:30", "03-30T20:30"]),
    ],
)
def test_nights_in_which_the_clock_is_changed(cron: str, zone: str, since: str, expected: list[str]) -> None:
    assert times(cron, zone, since) == expected


@given(
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 0,2,3 * * *", "15 1-3 * * 0", "59 23 28-31 * *"]),
    st.sampled_from([AMSTERDAM, LORD_HOWE, SANTIAGO, "America/New_York", "Africa/Casablanca", "UTC"]),
    st.integers(0, 366 * 86_400).map(
        lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    ),
)
def test_the_next_run_is_always_ahead_and_nothing_is_between(cron: str, zone: str, since: datetime) -> None:
    found = timetable.following(cron, zone, since)

    assert found > since
    assert timetable.following(cron, zone, since + (found - since) / 2) == found


@pytest.mark.parametrize(
    "cron",
    [
        "", "0 7 * *", "0 7 * * * *", "60 * * * *", "* 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8", "5-1 * * * *",
        "*/0 * * * *", "*-3 * * * *", "0 0 last * *", "0 0 * * mon#2", "@daily x x x x", "٣ * * * *", "0 0 31 2 *",
        "0 0 31 4,6 *", ",".join(["1"] * 200) + " * * * *", "-1 * * * *", "1,,2 * * * *", "0 0 * * foo",
    ],
)  # fmt: skip
def test_what_is_no_cron_or_never_comes_is_refused(cron: str) -> None:
    with pytest.raises(InvalidArguments, match=r"^cron: "):
        timetable.following(cron, "UTC", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("item", ["*/0", "*/100", "5/00", "1-5/" + "9" * 150])
def test_a_step_that_is_none_is_named_as_what_is_wrong(item: str) -> None:
    with pytest.raises(InvalidArguments, match=r"^cron: the step of .* is to be 1-99\.$"):
        timetable.following(f"{item} * * * *", "UTC", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "zone",
    [
        "", "Mars/Base", "Europe", "../etc/passwd", "/etc/localtime", "a\0b", "é",
        "localtime", "posixrules", "Factory", "posix/localtime",
    ],
)  # fmt: skip
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidArguments, match=r"^zone: "):
        timetable.following("0 7 * * *", zone, datetime(2026, 1, 1, tzinfo=UTC))


def test_this_computer_has_a_zone_that_can_be_named() -> None:
    assert timetable.following("0 7 * * *", timetable.local_zone(), datetime(2026, 1, 1, tzinfo=UTC))

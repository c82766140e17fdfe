"""A cron in plain words, where they are sure to be right."""

import pytest

from orion import cadence


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 7 * * 1-5", "every Monday to Friday at 07:00"),
        ("0 7 * * mon-fri", "every Monday to Friday at 07:00"),
        ("30 18 * * *", "every day at 18:30"),
        ("0 7,19 * * *", "every day at 07:00 and 19:00"),
        ("5 0 * * 0", "every Sunday at 00:05"),
        ("5 0 * * 7", "every Sunday at 00:05"),
        ("0 9 * * 1,3,5", "every Monday, Wednesday and Friday at 09:00"),
        ("0 9 1 * *", "on day 1 of every month at 09:00"),
        ("0 9 28 * *", "on day 28 of every month at 09:00"),
        ("0 9 31 * *", "on day 31 in months that have one at 09:00"),
        ("* * * * *", "every minute"),
        ("*/1 * * * *", "every minute"),
        ("*/60 * * * *", "every hour"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/15 * * * 6", "every 15 minutes, every Saturday"),
        ("5 * * * *", "every hour at :05"),
        # what has more to it is said as it is
        ("*/7 * * * *", "at the times of '*/7 * * * *'"),
        ("0 7 13 * 5", "at the times of '0 7 13 * 5'"),
        ("0 7 * 6 *", "at the times of '0 7 * 6 *'"),
        ("0-5 7 * * *", "at the times of '0-5 7 * * *'"),
        ("0 7 * * 1-5/2", "at the times of '0 7 * * 1-5/2'"),
        ("0 7", "at the times of '0 7'"),
    ],
)
def test_common_forms_have_words_and_others_are_said_as_they_are(cron: str, words: str) -> None:
    assert cadence.said(cron) == words


def test_a_moment_is_that_of_the_clock_there() -> None:
    assert cadence.moment("2026-07-01T05:00:00.000Z", "Europe/Amsterdam") == "Wed 2026-07-01 07:00"
    assert cadence.moment("2026-07-01T05:00:00.000Z", "Nowhere/Known") == "Wed 2026-07-01 05:00 UTC"

"""A log can be read: what is said again and again is written once a minute."""

import logging
from io import StringIO

import pytest

from orion.logs import AGAIN_AFTER, MOST_KNOWN, Once


class Written:
    """A logger whose lines are kept, and a clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self._out = StringIO()
        handler = logging.StreamHandler(self._out)
        handler.addFilter(Once(lambda: self.now))
        self.log = logging.getLogger(__name__)
        self.log.handlers[:] = [handler]
        self.log.setLevel(logging.INFO)

    @property
    def lines(self) -> list[str]:
        return self._out.getvalue().splitlines()


@pytest.fixture
def written() -> Written:
    return Written()


def test_a_warning_is_written_once_a_minute_and_then_says_how_often_it_was_meant(written: Written) -> None:
    for second in range(int(AGAIN_AFTER) + 1):
        written.now = float(second)
        written.log.warning("The database is away: %s", "refused")

    assert written.lines == [
        "The database is away: refused",
        "The database is away: refused (59 more of this were left out)",
    ]


def test_another_word_is_another_warning(written: Written) -> None:
    for name in ("laptop", "nas", "laptop"):
        written.log.warning("%s is away", name)

    assert written.lines == ["laptop is away", "nas is away"]


def test_what_went_well_and_what_is_a_defect_is_written_each_time(written: Written) -> None:
    for _ in range(2):
        written.log.info("Connected")
        written.log.error("It failed", exc_info=ValueError("a defect"))

    assert written.lines.count("Connected") == 2
    assert written.lines.count("It failed") == 2


def test_many_kinds_of_warnings_take_no_more_room(written: Written) -> None:
    for number in range(MOST_KNOWN + 1):
        written.log.warning("%d is wrong", number)
    written.log.warning("0 is wrong")  # the oldest is not known any more

    assert written.lines.count("0 is wrong") == 2

"""A window of time: its beginning belongs to it, its end does not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.errors import InvalidArguments

SPAN = timedelta(days=30)  # unless somebody says when it begins
LONGEST = timedelta(days=3_653)
DAY = timedelta(days=1)
MOST_PERIODS = 92  # that a window is cut into: a quarter of a year by days


@dataclass(frozen=True, slots=True)
class Window:
    """From when and until when.

    Raises:
        InvalidArguments: it ends before it begins, or is longer than ten years.
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise InvalidArguments("since: it must be before the end of the time that is looked at.")
        if self.until - self.since > LONGEST:
            raise InvalidArguments("since: ten years are looked at, at most.")

    @classmethod
    def of(cls, since: datetime | None, until: datetime | None, *, now: datetime) -> "Window":
        """The one that somebody means who may have said only one of its ends, or none.

        Raises:
            InvalidArguments: there is no such window.
        """
        until = until or now
        try:
            return cls(since or until - SPAN, until)
        except OverflowError as error:
            raise InvalidArguments("until: it is too early.") from error

    @property
    def step(self) -> timedelta:
        """How long a period is: a day, or as many of them as keep the periods few."""
        return -(-(self.until - self.since) // (DAY * MOST_PERIODS)) * DAY

    def periods(self) -> "list[Window]":
        """The window in pieces, counted back from its end, in their order; the first may be shorter.

        They are 24 hours and no days of a calendar: so nobody's time zone matters, and the last is whole.
        """
        found: list[Window] = []
        until = self.until
        while until > self.since:
            since = self.since if until - self.since <= self.step else until - self.step
            found.append(Window(since, until))
            until = since
        return found[::-1]

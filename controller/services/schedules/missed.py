"""What is done about the times that went by while nobody looked: the controller was off, or its clock leapt. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ON_TIME = timedelta(seconds=60)  # so late a run is not a missed one
AT_MOST = 24  # runs that are made up for


class Missed(StrEnum):
    """What becomes of runs whose time went by."""

    SKIP = "skip"  # nothing
    ONCE = "once"  # one run for all of them
    ALL = "all"  # each one, up to so many


@dataclass(frozen=True, slots=True)
class Due:
    """The planned times that are run now, when the next one is, and what is said of those that are not run."""

    planned: tuple[datetime, ...]
    following: datetime
    passed: str | None = None


def due(policy: Missed, first: datetime, *, now: datetime, after: Callable[[datetime], datetime]) -> Due:
    """What of the times from `first` to now is run. `after`: the next time behind a moment."""
    if now - first <= ON_TIME:
        return Due((first,), after(first))
    times, following = _times(first, now=now, after=after)
    is_whole = following > now
    if policy is Missed.ALL:
        left_out = None if is_whole else "Later times than these went by too, and are left out."
        return Due(times, after(now), left_out)
    count = len(times) if is_whole else f"more than {AT_MOST}"
    if policy is Missed.ONCE:
        return Due((first,), after(now), None if count == 1 else f"One run for {count} times that went by.")
    recent = after(now - ON_TIME)
    said = "Its time went by." if count == 1 else f"Of {count} times those that went by are left out."
    return Due((recent,), after(recent), said) if recent <= now else Due((), recent, said)


def _times(
    first: datetime, *, now: datetime, after: Callable[[datetime], datetime]
) -> tuple[tuple[datetime, ...], datetime]:
    """The times up to now, at most so many, and the one behind them."""
    found: list[datetime] = []
    following = first
    while following <= now and len(found) < AT_MOST:
        found.append(following)
        following = after(following)
    return tuple(found), following

"""When the next run of a schedule is: the five fields of cron, read on the wall clock of a time zone.

The library finds the next time on a clock that never jumps. What a zone's clock does in the nights in
which it is changed is settled here, and what cron means by its fields, where the library means something else.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger
from tzlocal import get_localzone_name

from controller.errors import InvalidArguments

LONGEST = 200  # characters of a cron
MAX_STEP = 99
HOURS = frozenset(range(24))

_SECOND, _INSTANT = timedelta(seconds=1), timedelta(microseconds=1)
_ITEM = re.compile(
    r"(?P<low>\*|[a-z]{3}|[0-9]{1,2})(?:-(?P<high>[a-z]{3}|[0-9]{1,2}))?(?:/(?P<step>[0-9]+))?"
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_OF_ONE_COMPUTER = ("localtime", "posixrules", "factory")  # they mean whatever a file there means
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LENGTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A cron that was read. `goes_round`: every hour counts, so it follows the time that passes, not the wall clock."""

    triggers: tuple[CronTrigger, ...]
    goes_round: bool

    def wall(self, since: datetime) -> datetime:
        """The first time at or after this one, on a clock that never jumps."""
        found = [trigger.get_next_fire_time(None, since) for trigger in self.triggers]
        times: list[datetime] = [each for each in found if each is not None]
        if not times:
            raise InvalidArguments("cron: that never comes.")
        return min(times)


def following(cron: str, zone: str, after: datetime) -> datetime:
    """The first run behind a moment, in UTC.

    A time that the clock leaps over is the next moment that there is; one that it shows twice is the first of both.
    What runs in every hour runs on, in the hour that comes twice too.

    Raises:
        InvalidArguments: it is no cron, no time zone, or never comes.
    """
    rule, place = _read(cron), _place(zone)
    return _by_hours(rule, place, after) if rule.goes_round else _by_the_wall(rule, place, after)


def local_zone() -> str:
    """The time zone of this computer; UTC where it has none that has a name."""
    try:
        found = get_localzone_name()
        _place(found or "")
    except (LookupError, OSError, ValueError, InvalidArguments):
        return "UTC"
    return str(found)


def _by_the_wall(rule: _Rule, place: tzinfo, after: datetime) -> datetime:
    since = after.astimezone(place).replace(tzinfo=UTC, fold=0)
    while True:
        wall = rule.wall(since + _INSTANT)
        moment = _moment(wall, place)
        if moment > after:
            return moment
        since = wall  # the clock shows this hour again, and has had these


def _by_hours(rule: _Rule, place: tzinfo, after: datetime) -> datetime:
    since = after.astimezone(UTC) + _INSTANT
    while True:
        ahead = _ahead(since, place)
        moment = rule.wall(since + ahead) - ahead
        if _ahead(moment, place) == ahead:
            return moment
        since = _change(since.replace(microsecond=0), moment, place)


def _moment(wall: datetime, place: tzinfo) -> datetime:
    """When the clock there shows this: the first time, or when it leaps over it."""
    shown = wall.replace(tzinfo=place, fold=0)
    moment = shown.astimezone(UTC)
    if moment.astimezone(place).replace(tzinfo=UTC, fold=0) == wall:
        return moment
    return _change(shown.replace(fold=1).astimezone(UTC), moment, place)


def _change(before: datetime, behind: datetime, place: tzinfo) -> datetime:
    """The moment in between at which the clock there is changed."""
    ahead = _ahead(before, place)
    while behind - before > _SECOND:
        middle = (before + (behind - before) / 2).replace(microsecond=0)
        if _ahead(middle, place) == ahead:
            before = middle
        else:
            behind = middle
    return behind


def _ahead(moment: datetime, place: tzinfo) -> timedelta:
    return moment.astimezone(place).utcoffset() or timedelta(0)


def _place(zone: str) -> ZoneInfo:
    try:
        if _ZONE.fullmatch(zone) and zone.lower().rpartition("/")[2] not in _OF_ONE_COMPUTER:
            return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
        pass
    raise InvalidArguments("zone: that is no time zone; write one as Europe/Amsterdam, or UTC.")


@lru_cache(maxsize=1_000)
def _read(cron: str) -> _Rule:
    parts = cron.lower().split()
    if len(parts) != len(_FIELDS) or len(cron) > LONGEST:
        raise InvalidArguments("cron: write five fields, minute hour day month weekday, as in '0 7 * * 1-5'.")
    minutes, hours, days, months, weekdays = map(_values, _FIELDS, parts)
    weekdays = frozenset(each % 7 for each in weekdays)
    if not any(min(days) <= _LENGTHS[month] for month in months) and parts[4].startswith("*"):
        raise InvalidArguments("cron: that never comes: no such month has such a day.")
    common = {
        "second": "0",
        "minute": _told(minutes, _FIELDS[0]),
        "hour": _told(hours, _FIELDS[1]),
        "month": _told(months, _FIELDS[3]),
    }
    in_month = _told(days, _FIELDS[2])
    # the library counts from Monday, cron from Sunday; a name is the same to both
    in_week = "*" if len(weekdays) == len(_DAYS) else ",".join(_DAYS[each] for each in sorted(weekdays))
    if parts[2].startswith("*") or parts[4].startswith("*"):
        wanted = [{"day": in_month, "day_of_week": in_week}]
    else:  # cron means either of the two days
        wanted = [{"day": in_month}, {"day_of_week": in_week}]
        wanted = wanted if any(min(days) <= _LENGTHS[month] for month in months) else wanted[1:]
    return _Rule(tuple(CronTrigger(timezone=UTC, **common, **each) for each in wanted), hours == HOURS)


def _values(field: _Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None or (match["low"] == "*" and match["high"]):
            raise _odd(field, item)
        step = int(match["step"] or 1)
        if not 1 <= step <= MAX_STEP:
            raise InvalidArguments(f"cron: the step of {item[:20]!r} is to be 1-{MAX_STEP}.")
        low, high = _bounds(field, match)
        if not (field.low <= low <= high <= field.high):
            raise _odd(field, item)
        found.update(range(low, high + 1, step))
    return frozenset(found)


def _bounds(field: _Field, match: re.Match[str]) -> tuple[int, int]:
    last = 6 if field.words is _DAYS else field.high
    if match["low"] == "*":
        return field.low, last
    low = _number(field, match["low"])
    if match["high"] is None:
        return low, last if match["step"] else low
    high = _number(field, match["high"])
    return low, 7 if match["high"] == "sun" and low > 0 else high


def _number(field: _Field, word: str) -> int:
    if word.isdigit():
        return int(word)
    if word not in field.words:
        raise _odd(field, word)
    return field.words.index(word)


def _told(values: frozenset[int], field: _Field) -> str:
    whole = values == frozenset(range(field.low, field.high + 1))
    return "*" if whole else ",".join(map(str, sorted(values)))


def _odd(field: _Field, item: str) -> InvalidArguments:
    return InvalidArguments(
        f"cron: {item[:20]!r} is no {field.name}; it is {field.low}-{field.high}, *, or a list as 1,3 or 1-5."
    )

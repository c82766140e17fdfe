"""When something is done, in plain words: common forms of a cron; others are said as they are."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBERS = re.compile(r"[0-9]{1,2}(,[0-9]{1,2})*")
_STEP = re.compile(r"\*/([0-9]{1,2})")
_WHOLE = {1: "every minute", 60: "every hour"}
_SHORTEST_MONTH = 28  # days
_NAMES = tuple(each[:3].lower() for each in DAYS)


def said(cron: str) -> str:
    """As `every Monday to Friday at 07:00`; the cron itself where no plain words are sure to be right."""
    fields = cron.lower().split()
    if len(fields) == len(("minute", "hour", "day", "month", "weekday")):
        minute, hour, day, month, weekday = fields
        times, days = _times(minute, hour), _days(day, weekday)
        if month == "*" and times is not None and days is not None:
            if times.startswith("at "):
                return f"{days} {times}"
            return times if days == "every day" else f"{times}, {days}"
    return f"at the times of '{cron}'"


def moment(instant: str, zone: str) -> str:
    """A moment as the clock on the wall shows it there."""
    at = datetime.fromisoformat(instant)
    try:
        return at.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # this computer does not know that zone
        return at.strftime("%a %Y-%m-%d %H:%M UTC")


def _times(minute: str, hour: str) -> str | None:
    step = _STEP.fullmatch(minute)
    if hour == "*":
        every = 1 if minute == "*" else int(step[1]) if step is not None else 0
        if every in _WHOLE:
            return _WHOLE[every]
        if every and 60 % every == 0:
            return f"every {every} minutes"
        return f"every hour at :{int(minute):02}" if minute.isdecimal() else None
    if not minute.isdecimal() or not _NUMBERS.fullmatch(hour):
        return None
    return f"at {_listed([f'{int(each):02}:{int(minute):02}' for each in hour.split(',')])}"


def _days(day: str, weekday: str) -> str | None:
    if weekday == "*":
        if day == "*":
            return "every day"
        if not day.isdecimal():
            return None
        months = "of every month" if int(day) <= _SHORTEST_MONTH else "in months that have one"
        return f"on day {int(day)} {months}"
    if day != "*":
        return None
    names: list[str] = []
    for item in weekday.split(","):
        ends = [_day(each) for each in item.split("-")]
        if None in ends or len(ends) > len(("from", "to")):
            return None
        names.append(" to ".join(each for each in ends if each is not None))
    return f"every {_listed(names)}"


def _day(word: str) -> str | None:
    if word in _NAMES:
        return DAYS[_NAMES.index(word)]
    return DAYS[int(word)] if word.isdecimal() and int(word) < len(DAYS) else None


def _listed(each: list[str]) -> str:
    return each[0] if len(each) == 1 else f"{', '.join(each[:-1])} and {each[-1]}"

"""A schedule as a person reads it."""

from orion import cadence
from orion.client import Json
from orion.terminal.values import moment


def in_words(found: Json) -> Json:
    """A schedule as a row of a table."""
    if found["paused"] is not None:
        upcoming = "paused"
    else:
        upcoming = cadence.moment(found["next_run_at"], found["zone"])
    return found | {
        "does": does(found),
        "when": f"{cadence.said(found['cron'])}, {found['zone']}",
        "next": upcoming,
        "last": last(found),
    }


def reading(found: Json) -> str:
    """When it runs, with its next times, as it is read back."""
    times = ", ".join(cadence.moment(each, found["zone"]) for each in found["upcoming"])
    return f"{cadence.said(found['cron'])}, {found['zone']}; next: {times}"


def does(found: Json) -> str:
    """What is ordered, and where."""
    given = " ".join(f"{key}={value}" for key, value in found["arguments"].items())
    where = found["device_id"] or f"the group {found['group']}"
    return f"{found['tool']} {given} on {where}".replace("  ", " ")


def pause(paused: Json) -> str:
    """Since when it is paused, by whom, and why."""
    why = "" if paused["reason"] is None else f": {paused['reason']}"
    return f"since {moment(paused['since'], '%H:%M')} by {paused['by']}{why}"


def last(found: Json) -> str | None:
    """What came of it the last time; None: its time has not come yet."""
    last = found["last_run"]
    return None if last is None else f"{last['outcome']} {moment(last['at'], '%H:%M')}"

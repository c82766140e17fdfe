"""A schedule as a person reads it."""

from typing import Any

from orion import cadence, receipts
from orion.client import Json


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


def terms(found: Json) -> dict[str, Any]:
    """On what terms each run goes, by their names; None where there is nothing to say."""
    lasts = receipts.span(found["valid_s"])
    away = f"waits up to {lasts} for a device that is away" if found["when_online"] else None
    return {
        "when online": away,
        "only if": receipts.condition(found["condition"]),
        "pace": _pace(found["pace"]),
        "expires": f"{lasts} after it was ordered",
    }


def order(found: Json) -> str:
    """What each run is and on what terms, in one line, as it is read back."""
    said = [f"{name} {value}" for name, value in terms(found).items() if value is not None]
    return "; ".join([f"Each run: {does(found)}", *said])


def pause(paused: Json, zone: str) -> str:
    """Since when it is paused, by the clock of its zone, by whom, and why."""
    why = "" if paused["reason"] is None else f": {paused['reason']}"
    return f"since {cadence.moment(paused['since'], zone)} by {paused['by']}{why}"


def last(found: Json) -> str | None:
    """What came of it the last time; None: its time has not come yet."""
    last = found["last_run"]
    return None if last is None else f"{last['outcome']} {cadence.moment(last['at'], found['zone'])}"


def run(found: Json, zone: str) -> Json:
    """A run as a row of a table, by the clock of its schedule's zone."""
    return found | {name: cadence.moment(found[name], zone) for name in ("planned_at", "at")}


def _pace(pace: Json | None) -> str | None:
    if pace is None:
        return None
    rate, in_flight, stop_after = pace["rate_per_s"], pace["max_in_flight"], pace["stop_after"]
    said = (
        None if rate is None else f"at most {rate:g} a second",
        None if in_flight is None else f"at most {in_flight} at the same time",
        None if stop_after is None else f"none more after {stop_after} failed",
    )
    return ", ".join(each for each in said if each is not None) or None

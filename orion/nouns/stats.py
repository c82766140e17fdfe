"""`orion stats`: which tools are used, what each device does, what fails again and again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from orion import receipts, words
from orion.charts import Bars, Sentences, Sparks
from orion.client import Json
from orion.terminal import Chart
from orion.verbs import Invocation, noun, verb
from schemas.wire import format_instant

DAY = 86_400.0  # seconds
FAILED = ("failed", "rejected", "interrupted")
NOT_RUN = ("denied", "expired", "cancelled")
REPEATED = 3

Since = Annotated[
    str, typer.Option("--since", metavar="WHEN", help="From then on: 30d or 12h ago, 2026-11-01, a moment.")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="WHEN", help="Before then, written likewise; else now.")
]
Device = Annotated[str | None, typer.Option("--device", metavar="ID", help="Of this device only.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "stats", "Figures of what was done: tools, devices, and what fails again and again.")
    verb(group, "tools", example="orion stats tools --since 7d --device laptop")(tools)
    verb(group, "devices", example="orion stats devices --since 2026-11-01 --until 2026-12-01")(devices)
    verb(group, "failures", example="orion stats failures --since 24h")(failures)


def tools(
    invocation: Invocation,
    since: Since = "30d",
    until: Until = None,
    device: Device = None,
    limit: Limit = 20,
) -> None:
    """The tools that were used, the most used first: how often, how well, how long they take.

    A command counts when it has ended, at the moment it ended. A dry run does not; of an order to a group its devices' commands do. Success is the part that succeeded of what a device was given to do: succeeded, failed (failed, rejected by the device, or interrupted), and not what was not run (denied, expired or cancelled). The mean is of those that succeeded.
    """
    found = _asked(invocation, "tools", since, until, device, limit=limit)
    rows = [
        {
            "tool": each["tool"],
            "count": each["count"],
            "success": _success(each),
            "failed": _sum(each, FAILED),
            "not_run": _sum(each, NOT_RUN),
            "mean": _milliseconds(each["mean_duration_ms"]),
        }
        for each in found["items"]
    ]
    columns = {
        "tool": "tool", "count": "commands", "success": "success", "failed": "failed", "not_run": "not run",
        "mean": "mean",
    }  # fmt: skip
    chart = Bars([row["count"] for row in rows])
    none = "No command ended in that time."
    _show(invocation, found, rows, columns, none=none, limit=limit, chart=chart)


def devices(
    invocation: Invocation,
    since: Since = "30d",
    until: Until = None,
    device: Device = None,
    limit: Limit = 20,
) -> None:
    """What each device did, those with most commands first; and day by day where the screen has room.

    What counts, and what success is: orion stats tools --help. A day is 24 hours, counted back from the end; each device's busiest is drawn highest. Events count when they arrived.
    """
    found = _asked(invocation, "devices", since, until, device, limit=limit)
    rows = [
        {
            "device": each["device_id"],
            "status": each["status"] or "no place",
            "count": each["count"],
            "success": _success(each),
            "events": each["events"],
            "last_seen_at": each["last_seen_at"],
        }
        for each in found["items"]
    ]
    columns = {
        "device": "device", "status": "now", "count": "commands", "success": "success", "events": "events",
        "last_seen_at": "last seen",
    }  # fmt: skip
    chart = Sparks(
        [each["commands_by_period"] for each in found["items"]],
        "per {}",
        round(found["period_s"] / DAY),
    )
    none = "There is no device yet: orion devices invite ID"
    _show(invocation, found, rows, columns, none=none, limit=limit, chart=chart)


def failures(
    invocation: Invocation,
    since: Since = "30d",
    until: Until = None,
    device: Device = None,
    more_than: Annotated[
        int, typer.Option("--more-than", min=0, max=1_000_000, help="What happened more often than this.")
    ] = REPEATED,
    limit: Limit = 20,
) -> None:
    """What fails again and again: the same tool, on the same device, with the same message to the letter.

    What failed, was rejected or denied, expired or was interrupted counts; what was cancelled does not, nor does a dry run.
    """
    found = _asked(invocation, "failures", since, until, device, more_than=more_than, limit=limit)
    rows = [each | {"how": _how(each)} for each in found["items"]]
    columns = {
        "device_id": "device", "tool": "tool", "count": "times", "how": "how", "first_at": "first",
        "last_at": "last", "message": "message",
    }  # fmt: skip
    none = f"Nothing failed more than {more_than} time{'' if more_than == 1 else 's'}."
    chart = Sentences([row["count"] for row in rows], [_told(row) for row in rows])
    _show(invocation, found, rows, columns, none=none, limit=limit, chart=chart)


def _asked(
    invocation: Invocation, what: str, since: str, until: str | None, device: str | None, **more: Any
) -> Json:
    now = datetime.now(UTC)
    begins = words.instant(since, now=now, option="--since")
    # said in any case: by the controller's own now, a little later, 30 days were not 30 any more
    ends = now if until is None else words.instant(until, now=now, option="--until")
    said: dict[str, Any] = {"since": format_instant(begins), "until": format_instant(ends)}
    return invocation.client.get(f"/stats/{what}", **said, device_id=device, **more)


def _show(
    invocation: Invocation,
    found: Json,
    rows: Sequence[Json],
    columns: dict[str, str],
    *,
    none: str,
    limit: int,
    chart: Chart,
) -> None:
    terminal = invocation.terminal
    if terminal.answer(found):
        return
    terminal.items(rows, columns, none=none, chart=chart)
    if len(rows) == limit:
        terminal.say(f"Those are the first {limit}; there may be more: --limit")


def _sum(each: Json, names: Sequence[str]) -> int:
    return sum(int(each[name]) for name in names)


def _success(each: Json) -> str | None:
    """In percent, never rounded up: 100 % is all of them."""
    tried = int(each["succeeded"]) + _sum(each, FAILED)
    if not tried:
        return None
    permille = int(each["succeeded"]) * 1000 // tried
    return f"{permille // 10}.{permille % 10} %"


def _milliseconds(mean: float | None) -> str | None:
    if mean is None:
        return None
    if mean >= 1000:
        return f"{mean / 1000:.1f} s"
    return f"{mean:.0f} ms" if mean >= 10 else f"{mean:.1f} ms"


def _how(failure: Json) -> str:
    kinds: dict[str, Any] = {name: failure[name] for name in (*FAILED, *NOT_RUN) if failure.get(name)}
    return next(iter(kinds)) if len(kinds) == 1 else ", ".join(f"{kinds[name]} {name}" for name in kinds)


def _told(failure: Json) -> tuple[str, str]:
    """The same as a sentence, and what is known beside it."""
    first, last = receipts.clock(failure["first_at"]), receipts.clock(failure["last_at"])
    where = f"{failure['tool']} on {failure['device_id']}"
    return f"{where}: {failure['message'] or 'no reason given'}", f"{failure['how']}; {first} to {last}"

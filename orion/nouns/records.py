"""`orion events`: what devices noticed."""

from typing import Annotated, Any

import typer

from orion import pages, receipts
from orion.client import Json
from orion.exits import Exit
from orion.verbs import Invocation, noun, verb
from schemas.events import Severity

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, newest first.")]
Device = Annotated[str | None, typer.Option("--device", help="Of this device only.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    events = noun(app, "events", "What devices noticed.")
    verb(events, "list", example="orion events list --device laptop --severity critical --open")(events_list)


def events_list(
    invocation: Invocation,
    limit: Limit = 50,
    device: Device = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Of this type only, as low_disk_space.")
    ] = None,
    severity: Annotated[
        Severity | None, typer.Option("--severity", metavar="SEVERITY", help=f"One of {', '.join(Severity)}.")
    ] = None,
    still_open: Annotated[bool, typer.Option("--open", help="Only what is not over yet.")] = False,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """What devices reported by themselves, newest first, and when it was over."""
    columns = {
        "received_at": "received",
        "device_id": "device",
        "severity": "severity",
        "type": "type",
        "data": "data",
        "resolved_at": "over since",
    }
    none = "Nothing is open." if still_open else "No device has reported anything like it."
    return pages.show(
        invocation,
        "/events",
        columns,
        none=none,
        limit=limit,
        cursor=cursor,
        everything=everything,
        in_words=lambda each: each | {"data": in_words(each)},
        device_id=device,
        type=kind,
        severity=severity.value if severity else None,
        unresolved=still_open or None,
    )


def in_words(event: Json) -> Any:
    """What an event tells, for a person: of a wrong clock how far it is off, else as it came."""
    skew = event["data"].get("skew_s")
    is_number = isinstance(skew, int | float) and not isinstance(skew, bool)
    if event["type"] == "clock_skew" and len(event["data"]) == 1 and is_number:
        return receipts.ahead(skew)
    return event["data"]

"""`orion events`: what devices noticed, and what people make of it."""

from typing import Annotated, Any

import typer

from orion import pages, receipts
from orion.client import Json
from orion.exits import Exit
from orion.verbs import Invocation, noun, verb
from schemas.events import Severity

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, newest first.")]
AT_ONCE = 500  # events of one request
Of = Annotated[str, typer.Argument(metavar="DEVICE", help="The device that noticed it.")]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="EVENT", help="The event's id; none: all of the device.")
]
Device = Annotated[str | None, typer.Option("--device", help="Of this device only.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    events = noun(app, "events", "What devices noticed, and what people make of it.")
    verb(events, "list", example="orion events list --device laptop --severity critical --open")(events_list)
    verb(events, "ack", example="orion events ack laptop")(acknowledge)
    verb(events, "resolve", example="orion events resolve laptop 01900000-0000-7000-8000-000000000000")(
        resolve
    )


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
    new: Annotated[bool, typer.Option("--new", help="Only what nobody took note of yet.")] = False,
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
        "acknowledged_by": "noted by",
        "event_id": "id",
    }
    none = (
        "Nothing is open."
        if still_open
        else "Nothing is new."
        if new
        else "No device has reported anything like it."
    )
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
        acknowledged=False if new else None,
    )


def acknowledge(invocation: Invocation, device_id: Of, events: Ids = None) -> None:
    """Take note of events: of these, or of all of a device that nobody took note of yet."""
    marked = _marked(invocation, "acknowledge", device_id, events, acknowledged=False)
    _tell(invocation, marked, f"Took note of {{}} of {device_id}", none=f"Nothing of {device_id} is new.")


def resolve(invocation: Invocation, device_id: Of, events: Ids = None) -> None:
    """Say that events are over: these, or all of a device that are still open."""
    marked = _marked(invocation, "resolve", device_id, events, unresolved=True)
    _tell(invocation, marked, f"Resolved {{}} of {device_id}", none=f"Nothing of {device_id} is open.")


def _marked(
    invocation: Invocation, verb: str, device_id: str, ids: list[str] | None, **sought: bool
) -> list[Json]:
    client = invocation.client
    if not ids:
        found = pages.every(client, "/events", device_id=device_id, **sought)
        ids = [each["event_id"] for each in found]
    marked: list[Json] = []
    for start in range(0, len(ids), AT_ONCE):
        names = [{"device_id": device_id, "event_id": each} for each in ids[start : start + AT_ONCE]]
        marked += client.post(f"/events/{verb}", {"events": names})["items"]
    return marked


def _tell(invocation: Invocation, marked: list[Json], said: str, *, none: str) -> None:
    if not invocation.terminal.answer({"items": marked}):
        count = f"{len(marked)} event" if len(marked) == 1 else f"{len(marked)} events"
        invocation.terminal.say(said.format(count) if marked else none)


def in_words(event: Json) -> Any:
    """What an event tells, for a person: of a wrong clock how far it is off, else as it came."""
    skew = event["data"].get("skew_s")
    is_number = isinstance(skew, int | float) and not isinstance(skew, bool)
    if event["type"] == "clock_skew" and len(event["data"]) == 1 and is_number:
        return receipts.ahead(skew)
    return event["data"]

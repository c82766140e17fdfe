"""`orion commands`: what was asked of devices, what waits, and how it went."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from orion import following, members, pages, queue, receipts
from orion.client import Json, segment
from orion.exits import Exit
from orion.verbs import Invocation, noun, verb

Id = Annotated[str, typer.Argument(metavar="ID", help="The command's id.")]
Device = Annotated[str | None, typer.Option("--device", help="Of this device only.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "commands", "What was asked of devices, what waits, and how it went.")
    verb(group, "list", example="orion commands list --device laptop --status failed")(listed)
    verb(group, "queue", example="orion commands queue --device laptop")(waiting)
    verb(group, "show", example="orion commands show 01900000-0000-7000-8000-000000000000")(show)
    verb(group, "cancel", example="orion commands cancel 01900000-0000-7000-8000-000000000000")(cancel)


def listed(
    invocation: Invocation,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 50,
    device: Device = None,
    status: Annotated[
        str | None, typer.Option("--status", help="With this status only, as failed or waiting.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="ID", help="Of this order to a group only.")
    ] = None,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """Commands, newest first."""
    columns = {
        "command_id": "id",
        "issued_at": "at",
        "whom": "device",
        "tool": "tool",
        "arguments": "arguments",
        "status": "status",
    }
    return pages.show(
        invocation,
        "/commands",
        columns,
        none="No command is on record.",
        limit=limit,
        cursor=cursor,
        everything=everything,
        in_words=lambda each: each | {"whom": receipts.whom(each), "status": _status(each)},
        device_id=device,
        status=status,
        parent_id=parent,
    )


def _status(command: Json) -> str:
    """How it stands; a dry run that succeeded changed nothing."""
    return f"{command['status']}{' (dry run)' if command['dry_run'] else ''}"


def waiting(
    invocation: Invocation,
    device: Device = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Show at most so many, the first ones.")
    ] = 100,
) -> None:
    """What has not begun: in order, since when, how long it still may wait, and what it waits for."""
    rows = queue.rows(invocation.client, device, now=datetime.now(UTC))
    more = len(rows) - limit
    columns = {
        "position": "#",
        "device_id": "device",
        "tool": "tool",
        "asked": "asked",
        "since": "since",
        "expires_in": "expires in",
        "waits_for": "waits for",
        "command_id": "id",
    }
    invocation.terminal.items(rows[:limit], columns, none="Nothing waits.")
    if more > 0:
        invocation.terminal.say(f"… and {more} more; --limit shows them")


def show(invocation: Invocation, command_id: Id) -> None:
    """One command: every layer's verdict, its way with times, its outcome; of a group each member's.

    The exit code says whether it could be shown, not how the command went.
    """
    client, terminal = invocation.client, invocation.terminal
    found = client.get(f"/commands/{segment(command_id)}")
    children = members.every(client, found) if found["rollout"] is not None else None
    if terminal.answer(found if children is None else found | {"items": children}):
        return
    receipts.write(terminal, found)
    if children is not None:
        terminal.write("")
        members.table(terminal, children)


def cancel(invocation: Invocation, command_id: Id) -> None:
    """Stop a command, as far as it still can be; of an order to a group, all that has not ended."""
    found = invocation.client.post(f"/commands/{segment(command_id)}/cancel")
    if invocation.terminal.answer(found):
        return
    status = found["status"].replace("_", " ")
    tail = f": {receipts.counts(found['rollout'])}" if found["rollout"] is not None else ""
    if found["status"] == "cancelled":
        said = f"Cancelled {command_id}{tail}"
    elif found["status"] in following.MOVING:
        said = f"Asked {receipts.whom(found)} to stop {command_id}, which has not ended yet{tail}. "
        said += f"See: orion commands show {command_id}"
    else:
        said = f"{command_id} had ended before: {status}{tail}"
    invocation.terminal.say(said)

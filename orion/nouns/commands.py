"""`orion commands`: what was asked of devices and how it went."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from orion import exits
from orion.client import segment
from orion.exits import Exit
from orion.terminal import Terminal
from orion.verbs import Invocation, noun, verb

OPEN = frozenset({"queued", "sent", "accepted"})

Id = Annotated[str, typer.Argument(metavar="ID", help="The command's id.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "commands", "What was asked of devices, and how it went.")
    verb(group, "list", example="orion commands list --device laptop --status failed")(listed)
    verb(group, "show", example="orion commands show 01900000-0000-7000-8000-000000000000")(show)
    verb(group, "cancel", example="orion commands cancel 01900000-0000-7000-8000-000000000000")(cancel)


def listed(
    invocation: Invocation,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 50,
    device: Annotated[str | None, typer.Option("--device", help="Of this device only.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="With this status only, as failed.")] = None,
) -> None:
    """Commands, newest first."""
    found = invocation.client.get("/commands", limit=limit, device_id=device, status=status)
    columns = {
        "command_id": "id",
        "issued_at": "at",
        "device_id": "device",
        "tool": "tool",
        "arguments": "arguments",
        "decision": "decision",
        "status": "status",
    }
    invocation.terminal.items(found["items"], columns, none="No command has been given yet.")


def show(invocation: Invocation, command_id: Id) -> None:
    """One command: every layer's verdict, its way with times, its outcome.

    The exit code says whether it could be shown, not how the command went.
    """
    found = invocation.client.get(f"/commands/{segment(command_id)}")
    if not invocation.terminal.answer(found):
        write(invocation.terminal, found)


def cancel(invocation: Invocation, command_id: Id) -> None:
    """Stop a command, as far as it still can be."""
    found = invocation.client.post(f"/commands/{segment(command_id)}/cancel")
    if not invocation.terminal.answer(found):
        invocation.terminal.say(f"Asked to stop {command_id}; it is {found['status']}")


def write(terminal: Terminal, command: Mapping[str, Any]) -> None:
    """One command for a person."""
    names = (
        "command_id", "device_id", "tool", "arguments", "dry_run", "requested_by", "via", "user_query",
        "decision", "risk", "approval_id", "status", "error", "result",
        "issued_at", "published_at", "accepted_at", "finished_at", "duration_ms",
    )  # fmt: skip
    terminal.facts({name: command.get(name) for name in names})
    terminal.write("")
    rows = [[layer["layer"], layer["verdict"], layer["reason"]] for layer in command.get("layers") or ()]
    terminal.table(["layer", "verdict", "reason"], rows)


def outcome(terminal: Terminal, command: Mapping[str, Any]) -> Exit:
    """Say how a command went, in a line or two; what it found goes to stdout."""
    status, error = command["status"], command.get("error") or {}
    reason = error.get("message") or "; ".join(command.get("reasons") or [])
    what = f"{command['tool']} on {command['device_id']}"
    code = exits.of_command(status)
    if status in OPEN:
        # why it was asked for says nothing of how it goes
        terminal.say(
            f"{what}: {status}, no answer yet. Follow it with: orion commands show {command['command_id']}",
            "yellow",
        )
    elif code is Exit.DONE:
        terminal.say(f"{what}: {status}", "green")
        terminal.facts(command.get("result") or {})
    else:
        terminal.say(f"{what}: {status.replace('_', ' ')}. {reason}".rstrip(), "red")
    return code

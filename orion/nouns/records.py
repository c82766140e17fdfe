"""`orion audit` and `orion events`: what is on record."""

from typing import Annotated

import typer

from orion.verbs import Invocation, noun, verb

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, newest first.")]
Device = Annotated[str | None, typer.Option("--device", help="Of this device only.")]


def register(app: typer.Typer) -> None:
    """Add the nouns."""
    audit = noun(app, "audit", "Who did what: requests, decisions, commands, outcomes.")
    verb(audit, "list", example="orion audit list --device laptop --limit 20")(audit_list)
    events = noun(app, "events", "What devices noticed.")
    verb(events, "list", example="orion events list --device laptop")(events_list)


def audit_list(
    invocation: Invocation,
    limit: Limit = 50,
    device: Device = None,
    action: Annotated[
        str | None, typer.Option("--action", help="Of this kind only, as decision.deny.")
    ] = None,
) -> None:
    """The audit, newest first."""
    found = invocation.client.get("/audit", limit=limit, device_id=device, action=action)
    columns = {
        "at": "at",
        "actor": "who",
        "via": "via",
        "action": "action",
        "device_id": "device",
        "tool": "tool",
        "command_id": "command",
    }
    invocation.terminal.items(found["items"], columns, none="Nothing is on record.")


def events_list(invocation: Invocation, limit: Limit = 50, device: Device = None) -> None:
    """What devices reported by themselves, newest first."""
    found = invocation.client.get("/events", limit=limit, device_id=device)
    columns = {
        "received_at": "received",
        "device_id": "device",
        "severity": "severity",
        "type": "type",
        "data": "data",
        "resolved": "resolved",
    }
    invocation.terminal.items(found["items"], columns, none="No device has reported anything.")

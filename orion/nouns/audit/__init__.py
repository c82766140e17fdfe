"""`orion audit`: who did what, and whether that is still what was recorded.

The proof reads the database itself, or a file: it does not ask the program that it is about.
"""

from typing import Annotated

import typer

from orion import pages
from orion.client import Json
from orion.exits import Exit
from orion.nouns.audit.archiving import archive
from orion.nouns.audit.exporting import export
from orion.nouns.audit.verifying import verify
from orion.verbs import Invocation, noun, verb

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, newest first.")]
Device = Annotated[str | None, typer.Option("--device", help="Of this device only.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "audit", "Who did what: requests, decisions, commands, outcomes.")
    verb(group, "list", example="orion audit list --device laptop --limit 20")(audit_list)
    verb(group, "verify", example="orion audit verify\norion audit verify audit.jsonl --key KEY")(verify)
    verb(group, "export", example="orion audit export audit.jsonl")(export)
    verb(group, "archive", example="orion audit archive audit-2025.jsonl --older-than 365d")(archive)


def audit_list(
    invocation: Invocation,
    limit: Limit = 50,
    device: Device = None,
    action: Annotated[
        str | None, typer.Option("--action", help="Of this kind only, as decision.deny.")
    ] = None,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """The audit, newest first."""
    columns = {
        "at": "at",
        "actor": "who",
        "via": "via",
        "action": "action",
        "about": "about",
        "device_id": "device",
        "tool": "tool",
        "command_id": "command",
    }
    return pages.show(
        invocation,
        "/audit",
        columns,
        none="Nothing is on record.",
        limit=limit,
        cursor=cursor,
        everything=everything,
        in_words=in_words,
        device_id=device,
        action=action,
    )


def in_words(row: Json) -> Json:
    """A row as a person reads it, with the user or the schedule that it is about.

    Of who tried a name that is nobody's: where from.
    """
    detail = row["detail"] or {}
    where_from = detail.get("address") if row["actor"] is None else None
    planned = f"{detail.get('name')} ({detail['schedule_id']})" if "schedule_id" in detail else None
    return row | {"about": planned or detail.get("username") or where_from}

"""`orion undo`: put back what a command changed, by the same permission as everything else."""

from typing import Annotated

import typer

from orion import following, receipts, words
from orion.client import Client, Json, segment
from orion.exits import Exit
from orion.nouns.run import concluded
from orion.terminal import Terminal
from orion.verbs import Invocation, verb


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "undo", example="orion undo 01900000-0000-7000-8000-000000000000")(undo)


def undo(
    invocation: Invocation,
    command_id: Annotated[
        str, typer.Argument(metavar="COMMAND_ID", help="The command, see `orion commands list`.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be put back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the outcome.")] = True,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="DURATION", help="How long it may wait: 30s, 10m. Default 60s."),
    ] = None,
) -> Exit:
    """Put back what a command changed. Whatever was changed since is left as it is, and said.

    On a terminal it shows first what will be put back, and asks.
    """
    client, terminal = invocation.client, invocation.terminal
    valid: Json = {} if expires is None else {"valid_s": words.duration(expires)}
    if terminal.asks and not dry_run and not yes:
        looked = _looked(client, terminal, command_id, valid)
        if looked is not None:
            return looked
    path = f"/commands/{segment(command_id)}/undo"
    command = following.submitted(client, path, {"dry_run": dry_run, **valid})
    return concluded(client, terminal, command, wait=wait)


def _looked(client: Client, terminal: Terminal, command_id: str, valid: Json) -> Exit | None:
    """Show what would be put back and ask; an exit code when it ends there."""
    seen = client.post(f"/commands/{segment(command_id)}/undo", {"dry_run": True, **valid})
    seen = following.follow(client, seen, lambda _news: None)
    if seen["status"] != "succeeded":
        return receipts.outcome(terminal, seen)
    terminal.say(f"Undo of {command_id} on {seen['device_id']}:")
    receipts.preview(terminal, seen.get("result") or {})
    if terminal.confirm("Put this back?"):
        return None
    terminal.say("Nothing was changed")
    return Exit.FAILED

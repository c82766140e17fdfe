"""`orion why`: what the gate would say of a call, layer by layer, without asking for it."""

from typing import Annotated

import typer

from orion import words
from orion.exits import Exit
from orion.nouns.run import properties_of
from orion.verbs import Invocation, verb

EXITS = {"allow": Exit.DONE, "ask": Exit.WAITING, "deny": Exit.DENIED}
SAID = {"allow": "would run", "ask": "would wait for a person's yes", "deny": "would be denied"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "why", example="orion why laptop delete_path path=Old")(why)


def why(
    invocation: Invocation,
    device_id: Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id.")],
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="One of its tools, see `orion devices show`.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The tool's arguments.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Of a preview of it.")] = False,
) -> Exit:
    """Say whether a call would be let through now, and why. Nothing is done, asked or recorded.

    It ends with 0 where it would run, 4 where a person would be asked, 3 where it would be denied.
    """
    client, terminal = invocation.client, invocation.terminal
    body = {
        "device_id": device_id,
        "tool": tool,
        "arguments": words.arguments(arguments or [], properties_of(client, device_id, tool)),
        "dry_run": dry_run,
    }
    told = client.post("/commands/explain", body)
    if not terminal.answer(told):
        columns = {"layer": "layer", "verdict": "verdict", "reason": "reason"}
        terminal.items(told["layers"], columns, none="")
        terminal.say(f"{tool} on {device_id} {SAID[told['decision']]}; its risk is {told['risk']}")
    return EXITS[told["decision"]]

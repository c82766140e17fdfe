"""`orion run`: one tool on one device, with exact arguments."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from orion import exits
from orion.client import Client, Json, Refused, segment
from orion.exits import Exit
from orion.nouns import approvals, commands
from orion.verbs import Invocation, verb

WAIT = 120.0  # seconds for the outcome
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "run", example="orion run laptop create_directory path=Test")(run)


def run(
    invocation: Invocation,
    device_id: Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id.")],
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="One of its tools, see `orion devices show`.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="The tool's arguments.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the outcome.")] = True,
) -> Exit:
    """Run a tool on a device, by the same permission as everything else.

    A value is read as JSON where the tool wants a number, yes/no, list or object; else it is text.
    """
    client, terminal = invocation.client, invocation.terminal
    given = parse(arguments or [], _properties(client, device_id, tool))
    body = {"device_id": device_id, "tool": tool, "arguments": given, "dry_run": dry_run}
    with terminal.waiting(device_id):
        found = client.post("/commands", body, wait_s=WAIT if wait else 0)
    if found["status"] == "awaiting_approval":
        results = approvals.ask_person(client, terminal, found["approval_id"])
        found = results[0] if results else found
    if not terminal.answer(found):
        commands.outcome(terminal, found)
        if found["status"] == "awaiting_approval":
            terminal.say(f"Decide with: orion approvals approve {found['approval_id']}")
    if not wait and found["status"] in commands.OPEN:
        return Exit.DONE  # it was to be submitted, and was
    return exits.of_command(found["status"])


def parse(words: Sequence[str], properties: Mapping[str, Any]) -> Json:
    """`key=value` words as a tool's arguments, each of the kind that the tool's schema wants.

    Raises:
        typer.BadParameter: a word without `=`, or a key twice.
    """
    found: Json = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{word!r} is not KEY=VALUE", param_hint="KEY=VALUE")
        if key in found:
            raise typer.BadParameter(f"{key!r} is given twice", param_hint="KEY=VALUE")
        found[key] = _value(text, properties.get(key))
    return found


def _value(text: str, schema: Any) -> Any:
    wanted = schema.get("type", "string") if isinstance(schema, dict) else "string"
    names = wanted if isinstance(wanted, list) else [wanted]
    try:
        value = json.loads(text)
    except ValueError:
        return text
    for name in names:
        kinds = _KINDS.get(str(name), ())
        # In Python a bool is an int; in JSON it is not.
        if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)) and str not in kinds:
            return value
    return text


def _properties(client: Client, device_id: str, tool: str) -> Mapping[str, Any]:
    """What the tool's schema says of its arguments; nothing where that is not known.

    An unknown device or tool is for the controller to refuse, and to record.
    """
    try:
        device = client.get(f"/devices/{segment(device_id)}")
    except Refused as error:
        if error.code in ("unknown_device", "not_found", "invalid_arguments"):
            return {}
        raise
    for each in device["tools"]:
        if each["name"] == tool:
            properties = each["parameters"].get("properties")
            return properties if isinstance(properties, dict) else {}
    return {}

"""`orion run`: one tool on one device or on a whole group, with exact arguments."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from orion import exits, following, members, progress, words
from orion.client import Client, Json, Refused, segment
from orion.exits import Exit
from orion.nouns import approvals
from orion.terminal import Terminal
from orion.verbs import Invocation, verb

PATIENCE = 86_400.0  # seconds that an order waits for its device unless said otherwise


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(
        app,
        "run",
        example="orion run laptop create_directory path=Test\n"
        "orion run nas copy_path source=a destination=b --when-online --expires 2h\n"
        "orion run laptop delete_path path=Old --if 'path_info path=Backup exists'\n"
        "orion run --group lab disk_usage --rate 5 --stop-after 3",
    )(run)


def run(
    invocation: Invocation,
    device_id: Annotated[
        str, typer.Argument(metavar="DEVICE", help="The device's id; left out with --group.")
    ],
    tool: Annotated[
        str | None, typer.Argument(metavar="TOOL", help="One of its tools, see `orion devices show`.")
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The tool's arguments.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the outcome.")] = True,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="DURATION",
            help="How long it may wait before it must not run any more: 30s, 10m, 2h, 1d. Default 60s, "
            "with --when-online 1d; at most 7d.",
        ),
    ] = None,
    when_online: Annotated[
        bool, typer.Option("--when-online", help="Wait for a device that is away, until it expires.")
    ] = False,
    condition: Annotated[
        str | None,
        typer.Option(
            "--if",
            metavar="CONDITION",
            help="Run only if this holds right before: 'online', or a tool that only looks and must answer true, "
            "'TOOL [KEY=VALUE]... [FIELD]'.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", metavar="NAME", help="Every device of this group."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="RATE", help="Start at most so many: 5/s, 30/m."),
    ] = None,
    max_in_flight: Annotated[
        int | None,
        typer.Option(
            "--max-in-flight", metavar="N", min=1, help="At most so many at the same time, 20 unless said."
        ),
    ] = None,
    stop_after: Annotated[
        int | None,
        typer.Option("--stop-after", metavar="N", min=1, help="After so many failures start no more."),
    ] = None,
) -> Exit:
    """Run a tool on a device, by the same permission as everything else.

    A value is read as JSON where the tool wants a number, yes/no, list or object; else it is text.
    A secret argument is better given as KEY=-: its value is asked for, or read from stdin.
    """
    client, terminal = invocation.client, invocation.terminal
    limits = {
        "rate_per_s": words.rate(rate) if rate is not None else None,
        "max_in_flight": max_in_flight,
        "stop_after": stop_after,
    }
    said = [each for each in (device_id, tool, *(arguments or [])) if each is not None]
    device, tool, given = _split(said, group, limits)
    if group is None:
        whom: Json = {"device_id": device}
        example: str | None = device
    else:
        whom = {"group": group, **{name: value for name, value in limits.items() if value is not None}}
        example = members.example(client, group)
    properties = properties_of(client, example, tool)
    body: Json = whom | {
        "tool": tool,
        "arguments": words.arguments(_asked(terminal, given, properties), properties),
        "dry_run": dry_run,
    }
    if when_online:
        body |= {"when_online": True, "valid_s": PATIENCE}
    if expires is not None:
        body["valid_s"] = words.duration(expires)
    if condition is not None:
        body["condition"] = words.condition(condition, lambda name: properties_of(client, example, name))
    command = following.submitted(client, "/commands", body)
    return concluded(client, terminal, command, wait=wait)


def concluded(client: Client, terminal: Terminal, command: Json, *, wait: bool) -> Exit:
    """Follow what was submitted, put its card to a person, and tell how it went."""
    try:
        if wait:
            command = progress.followed(client, terminal, command)
        if command["status"] == "awaiting_approval":
            results = approvals.ask_person(client, terminal, command["approval_id"], wait=False)
            if results is not None:
                command = client.get(f"/commands/{segment(command['command_id'])}")
                command = progress.followed(client, terminal, command) if wait else command
    except KeyboardInterrupt:
        raise following.stopped_looking(terminal, command) from None
    is_group = command["rollout"] is not None
    if terminal.json:
        terminal.answer(command | {"items": members.every(client, command)} if is_group else command)
    else:
        members.outcome_of(client, terminal, command)
    if command["status"] == "awaiting_approval":
        terminal.say(f"Decide with: orion approvals approve {command['approval_id']}")
    if not wait and command["status"] in following.MOVING:
        return Exit.DONE  # it was to be submitted, and was
    return members.exit_of(command) if is_group else exits.of_command(command["status"])


def _split(said: list[str], group: str | None, limits: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """Device, tool and arguments of what was typed; the device is empty with a group."""
    if group is None:
        named = [name for name, value in limits.items() if value is not None]
        if named:
            option = "--" + named[0].removesuffix("_per_s").replace("_", "-")
            raise typer.BadParameter("this is for a group; add --group NAME", param_hint=option)
        if len(said) == 1 or "=" in said[1]:
            raise typer.BadParameter(
                f"which tool on {said[0]}? Write: orion run DEVICE TOOL [KEY=VALUE]..., or --group NAME in "
                "place of DEVICE",
                param_hint="TOOL",
            )
        return said[0], said[1], said[2:]
    if len(said) > 1 and "=" not in said[1]:
        raise typer.BadParameter(
            f"with --group no device is named: orion run --group {group} {said[1]} ...", param_hint="DEVICE"
        )
    return "", said[0], said[1:]


def _asked(terminal: Terminal, given: Sequence[str], properties: Mapping[str, Any]) -> list[str]:
    """The words, with those secrets that are not said on the command line."""
    found = []
    for word in given:
        key, _, text = word.partition("=")
        schema = properties.get(key)
        if isinstance(schema, dict) and schema.get("writeOnly") is True:
            if text == "-":
                found.append(f"{key}={terminal.secret(f'{key}: ')}")
                continue
            terminal.say(
                f"{key} is a secret, and others on this computer can read a command line: say {key}=- instead.",
                "yellow",
            )
        found.append(word)
    return found


def properties_of(client: Client, device_id: str | None, tool: str) -> Mapping[str, Any]:
    """What the tool's schema says of its arguments; nothing where that is not known.

    An unknown device or tool is for the controller to refuse, and to record.
    """
    if device_id is None:
        return {}
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

"""`orion watch`: what happens, as it happens."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Annotated, Any

import typer

from controller.assistant import sanitize
from orion import stream
from orion.client import Json, Refused, segment
from orion.exits import INTERRUPTED, Exit
from orion.nouns.records import in_words
from orion.terminal import Terminal, moment, values
from orion.verbs import Invocation, verb

BAD = frozenset(
    {"failed", "rejected", "denied", "expired", "interrupted", "critical", "error", "offline", "stale"}
)
GAPS = {
    "restarted": "the controller was started again",
    "too_old": "it was too long ago",
    "unknown_id": "its place is not known",
    "rights_changed": "you see other things than before",
    "devices_unknown": "the broker has forgotten which devices are there",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(
        app,
        "watch",
        example="orion watch\norion watch --device laptop --type event --type command\norion watch --json | jq .",
    )(watch)


def watch(
    invocation: Invocation,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Of this type only, as event or command; more than one may be given.",
        ),
    ] = None,
    devices: Annotated[
        list[str] | None, typer.Option("--device", metavar="DEVICE", help="Of this device only; likewise.")
    ] = None,
    commands: Annotated[
        list[str] | None, typer.Option("--command", metavar="COMMAND", help="Of this command only; likewise.")
    ] = None,
) -> Exit:
    """What happens from now on, a line for each, until Ctrl-C: devices, commands, events, approvals, answers.

    With --json each message is a JSON object on a line of its own. A controller that is started again is waited
    for; what was missed meanwhile is told, or that it cannot be.
    """
    terminal = invocation.terminal
    query: dict[str, Any] = {
        "types": ",".join(kinds) if kinds else None,
        "device_id": devices or None,
        "command_id": commands or None,
    }
    try:
        _say_unseen(invocation, devices or [])
        for message in stream.follow(invocation.client, terminal.say, **query):
            if not terminal.answer(message):
                _show(terminal, message)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    return Exit.DONE


def _say_unseen(invocation: Invocation, devices: Iterable[str]) -> None:
    """Say which of these devices are not there to be seen: one may come yet, so they are watched all the same."""
    for device in devices:
        try:
            invocation.client.get(f"/devices/{segment(device)}")
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                invocation.terminal.say(f"There is no device {sanitize.exact(device, 80)} that you see.")


def _show(terminal: Terminal, message: Json) -> None:
    kind, data = str(message["type"]), message["data"]
    if kind == "ready":
        if not data["resumed"]:
            terminal.say(f"Watching as {data['user']}; Ctrl-C ends it.", "dim")
        return
    if kind == "reset":
        terminal.say(f"Something may be missing here: {GAPS.get(data['reason'], data['reason'])}.")
        return
    made = _WORDS.get(kind)
    words = [] if made is None else [values.cell(each) for each in made(data) if each not in (None, "", {})]
    style = "red" if BAD & set(words) else ""
    # what a device wrote begins no line of its own
    terminal.write(" ".join("  ".join([moment(message["at"]), f"{kind:18}", *words]).split("\n")), style)


def _progress(data: Json) -> str:
    done = data["progress"]
    return f"{done:.0%}" if isinstance(done, int | float) and data["status"] == "accepted" else ""


def _error(data: Json) -> str:
    return str((data["error"] or {}).get("message", ""))


def _of_device(data: Json) -> list[Any]:
    return [data["device_id"], data["status"], data.get("status_reason")]


def _of_heartbeat(data: Json) -> list[Any]:
    figures = {"cpu": "cpu_percent", "memory": "memory_percent", "battery": "battery_percent"}
    return [data["device_id"], *(f"{name} {data[key]:g} %" for name, key in figures.items() if key in data)]


def _of_event(data: Json) -> list[Any]:
    return [data["device_id"], data["severity"], data["type"], in_words(data)]


def _of_command(data: Json) -> list[Any]:
    where = data["device_id"] or data["group"] or "Orion"
    return [where, data["tool"], data["status"], _progress(data), _error(data), data["command_id"]]


def _of_departure(data: Json) -> list[Any]:
    return [data["device_id"], data["tool"], data["arguments"], data["command_id"]]


def _of_outcome(data: Json) -> list[Any]:
    return [
        data["device_id"],
        data["tool"],
        data["status"],
        _error(data) or data["result"],
        data["command_id"],
    ]


def _of_approval(data: Json) -> list[Any]:
    return [data["status"], data["risk"], data["requested_by"], data["summary"], data["approval_id"]]


def _of_words(data: Json) -> list[Any]:
    return [data.get("user"), data.get("text")]


_WORDS: dict[str, Callable[[Json], list[Any]]] = {
    "device_register": _of_device,
    "device_heartbeat": _of_heartbeat,
    "event": _of_event,
    "command": _of_command,
    "tool_execute": _of_departure,
    "tool_result": _of_outcome,
    "approval": _of_approval,
    "user_query": _of_words,
    "assistant_response": _of_words,
    "llm_response_chunk": _of_words,
}

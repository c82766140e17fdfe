"""`orion trace`: the way of one command or of all that one request set in motion, with times."""

import re
from typing import Annotated

import typer

from controller.assistant import sanitize
from orion.client import Json, segment
from orion.verbs import Failure, Invocation, verb

ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
SHOWN = 80  # characters of what is none
COLUMNS = {
    "at": "at",
    "after": "after",
    "event": "what",
    "who": "who",
    "device_id": "device",
    "tool": "tool",
    "said": "why, how",
    "command_id": "command",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "trace", example="orion trace 4bf92f3577b34da6a3ce929d0e0e4736")(trace)


def trace(
    invocation: Invocation,
    name: Annotated[
        str,
        typer.Argument(metavar="ID", help="A command's id, or a trace's: the header Trace-Id, or trace_id."),
    ],
) -> None:
    """Who asked, what was decided, when it left, when its device answered, and how long each step took.

    It is read from what the controller has on record; an administrator sees what only the audit knows, too.
    """
    terminal = invocation.terminal
    if not ID.fullmatch(name):
        said = f"{sanitize.exact(name, SHOWN) or 'Nothing'} is no id of a command or a trace."
        raise Failure(said, code="not_found")
    found = invocation.client.get(f"/traces/{segment(name)}")
    if terminal.answer(found):
        return
    terminal.items([_in_words(each) for each in found["items"]], COLUMNS, none="Nothing is on record.")
    shown = len({each["command_id"] for each in found["items"] if each["command_id"]})
    more = found["commands"] - shown
    said = f"Trace {found['trace_id']}: {found['commands']} command{'' if found['commands'] == 1 else 's'}"
    terminal.say(f"{said}, of which {more} are not shown" if more > 0 else said, "dim")


def _in_words(station: Json) -> Json:
    by = f" by {station['via']}" if station["via"] else ""
    return station | {
        "after": f"+{_duration(station['after_ms'])}",
        "event": station["event"].replace("_", " "),
        "who": f"{station['actor']}{by}",
    }


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"

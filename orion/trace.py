"""The way of one command, drawn for a person: layers with verdicts, and times."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orion.nouns import approvals
from orion.terminal import Terminal

# What happened, by the field that keeps its time; the first is when the request was made.
STATIONS = {
    "issued_at": "submitted",
    "published_at": "published to the broker",
    "accepted_at": "accepted by the device",
    "finished_at": "finished",
}
MARKS = {"allow": "✓ allow", "ask": "? ask", "deny": "✗ deny"}


def write(terminal: Terminal, command: Mapping[str, Any]) -> None:
    """One command: the call, every layer's verdict, its way with times."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in command["arguments"].items())
    terminal.write(f"→ {command['tool']}({arguments}) on {command['device_id'] or 'the controller'}", "cyan")
    rows = [
        [layer["layer"], MARKS.get(layer["verdict"], layer["verdict"]), layer["reason"]]
        for layer in command["layers"]
    ]
    if terminal.draws:
        terminal.table(["permission layer", "verdict", "reason"], rows)
    else:  # this is read by people wherever it goes, so it is lined up rather than separated by tabs
        for layer, verdict, reason in rows:
            terminal.write(f"  {layer:<10} {verdict:<8} {reason}")
    terminal.write(f"  {way(command)}", "blue")


def way(command: Mapping[str, Any]) -> str:
    """The stations of a command with the time since it was submitted."""
    began = _at(command["issued_at"])
    parts = [
        f"{word} +{(_at(command[field]) - began).total_seconds() * 1000:.0f} ms"
        for field, word in STATIONS.items()
        if command.get(field) is not None
    ]
    if command.get("published_at") is None:
        parts.append("nothing was sent")
    return " → ".join([*parts, str(command["status"])])


def card(terminal: Terminal, approval: Mapping[str, Any]) -> None:
    """A question to a person, as they see it."""
    if not terminal.draws:
        approvals.write(terminal, approval)
        return
    from rich.panel import Panel  # only where something is drawn
    from rich.text import Text

    lines = [f"{call['tool']} on {call['device_id']}" for call in approval["commands"]]
    lines += [
        f"  {name} = {value}" for call in approval["commands"] for name, value in call["arguments"].items()
    ]
    lines += [f"because {reason}" for reason in approval["reasons"]]
    terminal.out.print(
        Panel(Text("\n".join(lines)), title=f"Approve? risk: {approval['risk']}", border_style="yellow")
    )


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)

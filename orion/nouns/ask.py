"""`orion ask`: say what should happen, and see it happen."""

import json
import sys
from typing import Annotated

import typer

from orion import exits
from orion.client import Json
from orion.exits import Exit
from orion.nouns import approvals, commands
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation, verb

MAX_INPUT = 100_000  # characters that are read from stdin; the controller says what is too long
MAX_SHOWN = 300  # characters of one step
REPORT = (
    "request_id", "session_id", "outcome", "planner", "calls", "question", "text", "error",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "ask", example='orion ask "make a folder Test on my laptop"')(ask)


def ask(
    invocation: Invocation,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What should happen, in Dutch or English; - for stdin.")
    ],
    session: Annotated[str | None, typer.Option("--session", help="Go on with this conversation.")] = None,
    here: Annotated[str | None, typer.Option("--here", help="The device that you sit at.")] = None,
) -> Exit:
    """Say what should happen and see each step: the tool chosen, its way, the answer.

    What needs a yes is asked on a terminal; elsewhere it waits, and `orion approvals approve` decides it.
    """
    if text == "-":
        text = sys.stdin.read(MAX_INPUT)
    if not text.strip():
        raise typer.BadParameter("there is nothing in it", param_hint="TEXT")
    terminal = invocation.terminal
    while True:
        report = _turn(invocation, text, session, here)
        if terminal.answer({name: report[name] for name in REPORT if name in report}):
            return exits.of_report(report)
        terminal.write(report["text"])
        said = _question(terminal, report)
        if said is None:
            return _decide(invocation, report)
        text, session = said, report["session_id"]


def _turn(invocation: Invocation, text: str, session: str | None, here: str | None) -> Json:
    for step in invocation.client.ask(text, session_id=session, device_id=here):
        if step["type"] == "report":
            return step
        if not invocation.terminal.json:
            tell(invocation.terminal, step)
    raise Failure("The answer has no end.")


def tell(terminal: Terminal, step: Json) -> None:
    """One step of a turn, as it is taken."""
    match step["type"]:
        case "chunk":
            terminal.whisper(step["text"])
        case "tool_call":
            arguments = _short(step.get("arguments") or {})
            terminal.say(
                f"→ {step['tool']} on {step.get('device_id') or 'the controller'} {arguments}", "cyan"
            )
        case "tool_result":
            error = step.get("error")
            good = step["status"] == "succeeded"
            words = f"{step['status']}: {error['message']}" if error else str(step["status"])
            terminal.say(f"{'✓' if good else '✗'} {words}", "green" if good else "red")
        case "approval_required":
            terminal.say(f"? waits for a person ({step['risk']} risk): {step['summary']}", "yellow")
            terminal.say(f"  orion approvals approve {step['approval_id']}", "yellow")


def _question(terminal: Terminal, report: Json) -> str | None:
    question = report.get("question")
    if question is None:
        return None
    if not terminal.asks:
        for option in question["options"]:
            terminal.write(f"  - {option}")
        terminal.say(f"Answer with: orion ask --session {report['session_id']} …")
        return None
    return terminal.choose(question["options"])


def _decide(invocation: Invocation, report: Json) -> Exit:
    """Put the cards of this turn to the person who sits here, if one does."""
    terminal = invocation.terminal
    statuses = {call["command_id"]: call["status"] for call in report["calls"]}
    cards = dict.fromkeys(
        call["approval_id"] for call in report["calls"] if call["status"] == "awaiting_approval"
    )
    for approval_id in cards:
        for command in approvals.ask_person(invocation.client, terminal, approval_id) or ():
            commands.outcome(terminal, command)
            statuses[command["command_id"]] = command["status"]
    if not cards:
        return exits.of_report(report)
    # a step behind the card has moved on by now as well
    for command_id, status in statuses.items():
        if status == "queued":
            command = invocation.client.get(f"/commands/{command_id}", wait_s=approvals.RUNS_WITHIN)
            statuses[command_id] = command["status"]
    return exits.of_calls(list(statuses.values()))


def _short(arguments: Json) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"

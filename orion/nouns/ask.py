"""`orion ask`: say what should happen, and see it happen."""

import json
import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from orion import exits, following, receipts, talks
from orion.client import Json
from orion.exits import Exit
from orion.nouns import approvals
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
    session: Annotated[
        str | None,
        typer.Option(
            "--session", metavar="ID", help="Go on with this conversation, or with your `last` one."
        ),
    ] = None,
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
    session = None if session is None else talks.meant(invocation, session)
    while True:
        report = _turn(invocation, text, session, here)
        if terminal.answer({name: report[name] for name in REPORT if name in report}):
            return exits.of_report(report)
        is_decided_here = terminal.asks and report.get("question") is None
        terminal.conclude(without_hints(report) if is_decided_here else report["text"])
        said = _question(terminal, report)
        if said is None:
            return _decide(invocation, report)
        text, session = said, report["session_id"]


def _turn(invocation: Invocation, text: str, session: str | None, here: str | None) -> Json:
    terminal = invocation.terminal
    steps = invocation.client.ask(text, session_id=session, device_id=here)
    waits_for: str | None = None
    while True:
        with terminal.waiting(waits_for) if waits_for else nullcontext():
            step = next(steps, None)
        if step is None:
            break
        if step["type"] == "report":
            return step
        if not terminal.json:
            tell(terminal, step)
        waits_for = step.get("device_id") if step["type"] == "tool_call" else None
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
            if not terminal.asks:  # else the card follows
                terminal.say(f"  orion approvals approve {step['approval_id']}", "yellow")


def without_hints(report: Json) -> str:
    """What a turn says, without how to decide the cards that are about to be shown."""
    ways = tuple(f"orion approvals approve {approval_id}" for approval_id in _cards(report))
    return "\n".join(line for line in report["text"].split("\n") if not line.rstrip().endswith(ways))


def _cards(report: Json) -> list[str]:
    waiting = (call for call in report["calls"] if call["status"] == "awaiting_approval")
    return list(dict.fromkeys(call["approval_id"] for call in waiting))


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
    cards = _cards(report)
    if not cards:
        for call in report["calls"]:
            if call["status"] in following.MOVING:
                receipts.outcome(terminal, call)
    statuses = {call["command_id"]: call["status"] for call in report["calls"]}
    for approval_id in cards:
        # what comes back is the whole plan: the steps behind the card have moved on with it
        for command in approvals.ask_person(invocation.client, terminal, approval_id) or ():
            if statuses.get(command["command_id"]) != command["status"]:
                receipts.outcome(terminal, command)
            statuses[command["command_id"]] = command["status"]
    moved = [call | {"status": statuses[call["command_id"]]} for call in report["calls"]]
    return exits.of_report(report | {"calls": moved})


def _short(arguments: Json) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"

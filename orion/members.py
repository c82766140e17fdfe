"""The commands of one order to a group: fetched, and those that did not succeed as a table."""

from collections.abc import Sequence

from orion import exits, pages, receipts
from orion.client import Client, Json
from orion.exits import Exit
from orion.following import ENDS, MOVING, moves
from orion.terminal import Terminal

MOST = 10_000  # of one group
SHOWN = 200  # rows on a screen; --json has them all
COLUMNS = ("device", "status", "outcome", "command")


def example(client: Client, group: str) -> str | None:
    """One device of a group, to read the words of a call by its tools; None when there is none."""
    devices = pages.every(client, "/devices", group=group)
    return next((str(each["device_id"]) for each in devices if each["adopted"]), None)


def every(client: Client, parent: Json, *, status: str | None = None) -> list[Json]:
    """The commands of a group, by device."""
    found: list[Json] = client.get("/commands", parent_id=parent["command_id"], status=status, limit=MOST)[
        "items"
    ]
    return sorted(found, key=lambda each: str(each["device_id"]))


def exit_of(parent: Json) -> Exit:
    """What an order to a group means: done only when all succeeded; waiting when nothing else moves."""
    if parent["status"] in MOVING and not moves(parent):
        return Exit.WAITING
    return exits.of_command(parent["status"])


def outcome_of(client: Client, terminal: Terminal, command: Json) -> Exit:
    """Say how a command went, to a device or to a group."""
    if command["rollout"] is None:
        return receipts.outcome(terminal, command)
    return outcome(client, terminal, command)


def outcome(client: Client, terminal: Terminal, parent: Json) -> Exit:
    """Say how a group went; whoever did not succeed stands in a table on stdout, with the reason.

    Of a dry run everybody does, with what would happen.
    """
    rollout, code = parent["rollout"], exit_of(parent)
    status = parent["status"].replace("_", " ")
    dry = bool(parent.get("dry_run"))
    subject = f"{receipts.what(parent)}{', a dry run' if dry else ''}"
    terminal.say(
        f"{subject}: {status}. {receipts.counts(rollout)}",
        "green" if code is Exit.DONE else "red",
    )
    if rollout["stopped"]:
        failures = "1 failure" if rollout["stop_after"] == 1 else f"{rollout['stop_after']} failures"
        terminal.say(f"Stopped after {failures}: the others were not run.", "red")
    # of a dry run also what those would do who could say it
    bad = [
        each
        for name in ENDS[0 if dry else 1 :]
        if rollout[name]
        for each in every(client, parent, status=name)
    ]
    if bad:
        table(terminal, sorted(bad, key=lambda each: str(each["device_id"])))
    if rollout["waiting"]:
        until = receipts.clock(parent["expires_at"])
        terminal.say(
            f"{rollout['waiting']} wait for their devices until {until}; see: orion commands queue", "yellow"
        )
    elif moves(parent):
        terminal.say("The others go on by themselves.", "yellow")
    terminal.say(f"Each of them: orion commands show {parent['command_id']}", "dim")
    return code


def table(terminal: Terminal, commands: Sequence[Json]) -> None:
    """Some of a group's commands, with what there is to say of each."""
    rows = [
        [str(each["device_id"]), each["status"], receipts.why(each), each["command_id"]]
        for each in commands[:SHOWN]
    ]
    terminal.table(COLUMNS, rows)
    if len(commands) > SHOWN:
        terminal.say(f"… and {len(commands) - SHOWN} more; --json lists all of them", "dim")

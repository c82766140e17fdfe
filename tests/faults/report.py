"""The result of a run as text, and as the table of docs/reliability.md."""

from collections.abc import Iterator
from pathlib import Path

from tests.faults.campaign import Outcome
from tests.faults.points import CONTROLLER, NODE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- begin: make faults -->", "<!-- end: make faults -->"


# what a long run owes, whatever it finds
LEAST_TIMES = 5  # at each point, with a command in flight
LEAST_KILLS, LEAST_COMMANDS, LEAST_EVENTS = 300, 2_000, 2_000
LONGEST = 600.0  # seconds


def missing(outcome: Outcome) -> list[str]:
    """What a long run did less of than it owes, in sentences."""
    found = [
        f"{program}: {name!r} was reached {times} times with a command in flight, not {LEAST_TIMES}"
        for program, table in (("controller", CONTROLLER), ("node", NODE))
        for name in table
        if (times := outcome.busy_kills.get(f"{program}: {name}", 0)) < LEAST_TIMES
    ]
    counted = outcome.judgement.figures
    for what, count, least in (
        ("kills", sum(outcome.kills.values()), LEAST_KILLS),
        ("submits that returned", counted["submits that returned"], LEAST_COMMANDS),
        ("events kept by a node", counted["events kept by a node"], LEAST_EVENTS),
    ):
        if count < least:
            found.append(f"{count} {what}, not {least}")
    if outcome.took_s > LONGEST:
        found.append(f"it took {outcome.took_s:.0f} s, not {LONGEST:.0f}")
    return found


def of(outcome: Outcome) -> str:
    """Everything that was done and found."""
    return "\n".join(_lines(outcome))


def write(outcome: Outcome) -> None:
    """Put it between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{of(outcome)}\n\n{END}{after}", encoding="utf-8")


def _lines(outcome: Outcome) -> Iterator[str]:
    verdict = "green" if outcome.judgement.green else "RED"
    kills = sum(outcome.kills.values())
    yield f"Seed {outcome.plan.seed}, {outcome.took_s:.0f} s, {kills} kills: **{verdict}**"
    yield ""
    yield "| program killed at | times | with a command in flight |"
    yield "| --- | ---: | ---: |"
    for program, table in (("controller", CONTROLLER), ("node", NODE)):
        for name in (*table, "at random"):
            key = f"{program}: {name}"
            yield f"| {key} | {outcome.kills.get(key, 0)} | {outcome.busy_kills.get(key, 0)} |"
    yield f"| broker: supervisor at random | {outcome.kills.get('broker: at random', 0)} | |"
    yield f"| broker: Mosquitto | {outcome.kills['broker: Mosquitto']} | |"
    yield ""
    yield "| done from outside | times |"
    yield "| --- | ---: |"
    for kind, times in sorted(outcome.done.items()):
        yield f"| {kind} | {times} |"
    for kind, times in sorted(outcome.repeated.items()):
        yield f"| {kind} messages sent again by hand | {times} |"
    yield ""
    yield "| counted at the end | |"
    yield "| --- | ---: |"
    for name, count in outcome.judgement.figures.items():
        yield f"| {name} | {count} |"
    for note in outcome.notes:
        yield f"\nNote: {note}"
    for fault in outcome.judgement.faults:
        yield f"\nFAULT: {fault}"

"""What people may type, and exactly what it must come to; the sentences are data beside this file."""

from pathlib import Path

import pytest
import yaml

from controller.assistant.candidates import KnownDevice
from controller.assistant.offline import Calls, Declined, Planner, Question

DEVICES = (
    KnownDevice("laptop", "Laptop", ("notebook",), "thinkpad.local", apps=("Firefox", "Code")),
    KnownDevice("werkplaats-pc", "Werkplaats PC", ("workshop",), None),
    KnownDevice("laptop-2", "Kantoorlaptop", ("office pc",), None),
    KnownDevice("server", "Server", (), "nas.lan"),
)


def _rows() -> list[tuple[str | None, str, tuple[str, ...]]]:
    rows: list[tuple[str | None, str, tuple[str, ...]]] = []
    for source in sorted(Path(__file__).parent.glob("sentences_*.yaml")):
        loaded = yaml.safe_load(source.read_text(encoding="utf-8"))
        for section, here in (("away", None), ("at_laptop", "laptop")):
            rows += [(here, row[0], tuple(row[1:])) for row in loaded[section]]
    return rows


def told(planner: Planner, text: str, here: str | None) -> tuple[str, ...]:
    """The plan, as the sentence files write it."""
    plan = planner.plan(text, DEVICES, here=here)
    if isinstance(plan, Question):
        return ("question",)
    if isinstance(plan, Declined):
        return ("declined",)
    mark = "~" if plan.repaired else ""
    return tuple(
        mark
        + f"{call.device_id} {call.tool} ".rstrip(" ")
        + (" " if call.arguments else "")
        + " | ".join(f"{name}={value}" for name, value in call.arguments.items())
        for call in plan.calls
    )


@pytest.fixture(scope="module")
def planner() -> Planner:
    """One planner for all sentences, as the program has it."""
    return Planner()


@pytest.mark.parametrize(("here", "text", "expected"), _rows())
def test_sentence_comes_to(planner: Planner, here: str | None, text: str, expected: tuple[str, ...]) -> None:
    assert told(planner, text, here) == expected


def test_a_plan_of_calls_says_so(planner: Planner) -> None:
    assert isinstance(planner.plan("herstart de server", DEVICES), Calls)

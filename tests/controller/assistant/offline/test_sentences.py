"""What people may type, and exactly what it must come to; the sentences are data beside this file."""

from pathlib import Path

import pytest
import yaml

from controller.assistant.candidates import KnownDevice
from controller.assistant.offline import Again, Calls, Declined, Planner, Question
from controller.assistant.offline.grammar import Template

DEVICES = (
    KnownDevice("laptop", "Laptop", ("notebook",), "thinkpad.local", apps=("Firefox", "Code")),
    KnownDevice("werkplaats-pc", "Werkplaats PC", ("workshop",), None),
    KnownDevice("laptop-2", "Kantoorlaptop", ("office pc",), None),
    KnownDevice("server", "Server", (), "nas.lan"),
)
HOME = (
    KnownDevice("laptop", "Laptop", ("notebook",), "laptop-piet.local", apps=("firefox", "spotify", "vlc")),
    KnownDevice("werkplaats-pc", "Werkplaats-pc", (), "werkplaats"),
    KnownDevice("nas", "NAS", (), "nas.local"),
    KnownDevice("kantoor", "Kantoor", (), None),
    KnownDevice("office-pc", "Office PC", (), None, windows=True),
    KnownDevice("printserver", "printserver", (), None),
)
# a section of the sentence files: the devices there are, and where the person sits
SECTIONS: dict[str, tuple[tuple[KnownDevice, ...], str | None]] = {
    "away": (DEVICES, None),
    "at_laptop": (DEVICES, "laptop"),
    "home": (HOME, None),
    "alone": (HOME[:1], None),
    "windows": ((KnownDevice("kantoor", "Kantoor", (), None, windows=True),), None),
}


def _rows() -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (section, row[0], tuple(row[1:]))
        for source in sorted(Path(__file__).parent.glob("sentences_*.yaml"))
        for section, rows in yaml.safe_load(source.read_text(encoding="utf-8")).items()
        for row in rows
    ]


def told(planner: Planner, text: str, section: str) -> tuple[str, ...]:
    """The plan, as the sentence files write it."""
    devices, here = SECTIONS[section]
    plan = planner.plan(text, devices, here=here)
    if isinstance(plan, Question):
        return ("question",)
    if isinstance(plan, Declined):
        return ("declined",)
    mark = "~" if plan.repaired else ""
    if isinstance(plan, Again):
        return (f"{mark}again {plan.device_id}",)
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


@pytest.mark.parametrize(("section", "text", "expected"), _rows())
def test_sentence_comes_to(planner: Planner, section: str, text: str, expected: tuple[str, ...]) -> None:
    assert told(planner, text, section) == expected


def test_a_plan_of_calls_says_so(planner: Planner) -> None:
    assert isinstance(planner.plan("herstart de server", DEVICES), Calls)


def test_leaving_out_what_cannot_fit_changes_no_answer(
    planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template whose words are not all there is not tried; here each one is."""
    some = _rows()[::6]
    quick = [told(planner, text, section) for section, text, _ in some]

    monkeypatch.setattr(Template, "may_fit", lambda _self, _said: True)

    assert [told(planner, text, section) for section, text, _ in some] == quick

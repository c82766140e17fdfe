"""Tools that only a third party's device has, called by their names."""

import pytest

from controller.assistant.candidates import KnownDevice
from controller.assistant.offline import Calls, Declined, Planner

PUMP = KnownDevice(
    "pump", "Tuinpomp", (), None, online=True, tools=frozenset({"water_garden", "blink", "create_directory"})
)
LAPTOP = KnownDevice("laptop", "Laptop", (), None, online=True, tools=frozenset({"create_directory"}))
PLANNER = Planner()


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("run water_garden on tuinpomp", "water_garden"),
        ("voer water_garden uit op de tuinpomp", "water_garden"),
        ("please run blink on the pump", "blink"),
        ("start blink op de tuinpomp", "blink"),
        ("water garden on tuinpomp", "water_garden"),
    ],
)
def test_a_tool_is_called_by_its_name(text: str, tool: str) -> None:
    plan = PLANNER.plan(text, [PUMP, LAPTOP])

    assert isinstance(plan, Calls), plan
    assert [(call.device_id, call.tool, call.arguments) for call in plan.calls] == [("pump", tool, {})]


@pytest.mark.parametrize(
    "text",
    [
        "do not run blink on the pump",
        "run blink tomorrow on the pump",
        "run blink on the laptop",
        "run blink and everything else on the pump",
        "if it is dry run water_garden on the pump",
        "did blink run on the pump?",
    ],
)
def test_nothing_is_called_when_the_sentence_says_more_or_else(text: str) -> None:
    plan = PLANNER.plan(text, [PUMP, LAPTOP])

    assert not (
        isinstance(plan, Calls) and any(call.tool in ("blink", "water_garden") for call in plan.calls)
    )


def test_examples_are_about_a_device_that_has_folders() -> None:
    lamp = KnownDevice("a-lamp", "A lamp", (), None, online=True, tools=frozenset({"blink"}))
    plan = PLANNER.plan("tell me a joke", [lamp, LAPTOP])

    assert isinstance(plan, Declined)
    assert "Laptop" in plan.text

"""A call means one proposal, question or problem, whatever a model writes in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from controller.assistant.providers.provider import ToolCall
from controller.assistant.toolbox import Asked, Problem, Proposed
from schemas.errors import ErrorCode
from tests.controller.assistant.toolbox.box import BUILTIN, a_box, a_call, a_tool


def test_a_call_becomes_a_proposal() -> None:
    box = a_box(("laptop", BUILTIN), ("pc-2", BUILTIN))

    assert box.read(a_call("read_file", device_id="pc-2", path="a.txt")) == Proposed(
        "pc-2", "read_file", {"path": "a.txt"}
    )


@pytest.mark.parametrize(
    "device",
    [{"device": "laptop"}, {"device_id": " laptop "}, {"device_id": "laptop", "device": "laptop"}, {},
     {"device_id": ""}, {"device_id": None}],
)  # fmt: skip
def test_a_single_device_is_understood_however_it_is_written(device: dict[str, JsonValue]) -> None:
    answer = a_box(("laptop", BUILTIN)).read(a_call("read_file", path="a.txt", **device))

    assert answer == Proposed("laptop", "read_file", {"path": "a.txt"})


@pytest.mark.parametrize(
    ("device", "code", "said"),
    [
        ({}, ErrorCode.INVALID_ARGUMENTS, "laptop, pc-2"),
        ({"device_id": ["laptop"]}, ErrorCode.INVALID_ARGUMENTS, "one id"),
        ({"device_id": 7}, ErrorCode.INVALID_ARGUMENTS, "one id"),
        ({"device_id": "laptop", "device": "pc-2"}, ErrorCode.INVALID_ARGUMENTS, "one device"),
        ({"device_id": "Laptop"}, ErrorCode.UNKNOWN_DEVICE, "laptop, pc-2"),
        ({"device_id": "pc-3"}, ErrorCode.UNKNOWN_DEVICE, "ask_user"),
        ({"device_id": "lamp"}, ErrorCode.UNKNOWN_TOOL, "lamp does not have read_file"),
        ({"device_id": "x\x1b[2J" + "y" * 999}, ErrorCode.UNKNOWN_DEVICE, "x[2Jy"),
    ],
)
def test_a_wrong_device_is_a_problem_with_its_remedy(
    device: dict[str, JsonValue], code: ErrorCode, said: str
) -> None:
    box = a_box(("laptop", BUILTIN), ("pc-2", BUILTIN), ("lamp", (a_tool(),)))

    answer = box.read(a_call("read_file", path="a.txt", **device))

    assert isinstance(answer, Problem)
    assert answer.code == code
    assert said in answer.message
    assert len(answer.message) < 400


def test_an_unknown_tool_is_a_problem_that_lists_what_there_is() -> None:
    answer = a_box(("lamp", (a_tool(),))).read(a_call("format_disk" + "!" * 500))

    assert isinstance(answer, Problem)
    assert answer.code == ErrorCode.UNKNOWN_TOOL
    assert (
        "ask_user, blink, device_impact, device_status, forget, list_devices, recall, remember"
        in answer.message
    )


def test_device_status_names_its_device_in_its_arguments() -> None:
    answer = a_box(("laptop", ())).read(a_call("device_status", device="laptop"))

    assert answer == Proposed("laptop", "device_status", {"device_id": "laptop"})


def test_a_tools_own_device_id_is_not_the_device_it_runs_on() -> None:
    tool = a_tool("route", {"device_id": {"type": "string"}}, schema={"required": ["device_id"]})
    box = a_box(("hub", (tool,)))

    [spec] = [spec for spec in box.specs if spec.name == "route"]
    assert spec.parameters["required"] == ["device_id", "tool_device_id"]
    assert box.read(a_call("route", device_id="hub", tool_device_id="bulb")) == Proposed(
        "hub", "route", {"device_id": "bulb"}
    )


def test_a_tools_own_parameter_called_device_reaches_it() -> None:
    box = a_box(("hub", (a_tool("mount", {"device": {"type": "string"}}),)))

    assert box.read(a_call("mount", device="sda1")) == Proposed("hub", "mount", {"device": "sda1"})


def test_arguments_that_say_nothing_are_left_out() -> None:
    call = a_call("write_file", path="a", content="b", overwrite=False)

    assert a_box(("laptop", BUILTIN)).read(call) == Proposed(
        "laptop", "write_file", {"path": "a", "content": "b"}
    )
    assert a_box(("laptop", BUILTIN)).read(a_call("list_directory", path="a", limit=None)) == Proposed(
        "laptop", "list_directory", {"path": "a"}
    )


def test_arguments_that_say_something_stay() -> None:
    nullable = a_tool(
        "set", {"value": {"type": ["string", "null"]}, "on": {"type": "boolean", "default": False}}
    )
    box = a_box(("laptop", BUILTIN), ("hub", (nullable,)))

    odd = box.read(a_call("write_file", path="a", content="b", overwrite=0, strange=None))
    assert odd == Proposed(
        "laptop", "write_file", {"path": "a", "content": "b", "overwrite": 0, "strange": None}
    )
    assert box.read(a_call("set", value=None, on=False)) == Proposed(
        "hub", "set", {"value": None, "on": False}
    )


def test_a_question_of_the_model_is_read_with_its_options() -> None:
    call = a_call("ask_user", question="Welke\n laptop?\x07", options=["Jan", "Jan", 7, " ", "Eva"])

    assert a_box().read(call) == Asked("Welke laptop?", ("Jan", "Eva"))


@pytest.mark.parametrize(
    "arguments", [{}, {"question": ""}, {"question": 7}, {"question": "a", "options": "b"}]
)
def test_a_question_without_words_is_a_problem(arguments: dict[str, JsonValue]) -> None:
    assert isinstance(a_box().read(ToolCall("1", "ask_user", arguments)), Problem)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_any_call_has_a_meaning_that_was_offered(name: str, arguments: dict[str, JsonValue]) -> None:
    box = a_box(("laptop", BUILTIN), ("pc-2", BUILTIN))
    for each in (name, "read_file", "ask_user", "device_status"):
        answer = box.read(ToolCall("1", each, arguments))
        if isinstance(answer, Proposed):
            assert answer.device_id in {"laptop", "pc-2"}
            assert answer.tool == each

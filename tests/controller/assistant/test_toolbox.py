"""What a model is shown of the devices, and what its calls mean."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from controller.assistant.candidates import KnownDevice
from controller.assistant.providers.provider import ToolCall
from controller.assistant.toolbox import MAX_DEVICES, Asked, Offer, Problem, Proposed, Toolbox
from schemas import builtin
from schemas.devices import Risk, Tool, ToolAnnotations
from schemas.errors import ErrorCode

BUILTIN = tuple(builtin.TOOLS.values())
KEPT = {"type", "items", "description", "enum"}  # what Ollama's client leaves of a parameter


def a_device(device_id: str = "laptop", **known: Any) -> KnownDevice:
    return KnownDevice(**{"device_id": device_id, "name": None, "aliases": (), "hostname": None, **known})


def a_tool(name: str = "blink", properties: dict[str, Any] | None = None, **more: Any) -> Tool:
    parameters = {"type": "object", "properties": properties or {}, **more.pop("schema", {})}
    return Tool(**{"name": name, "description": "Blinks.", "parameters": parameters, **more})


def a_box(*offers: tuple[str, tuple[Tool, ...]], question: bool = False) -> Toolbox:
    return Toolbox([Offer(a_device(device_id), tools) for device_id, tools in offers], question=question)


def a_call(name: str, **arguments: JsonValue) -> ToolCall:
    return ToolCall("call-1", name, arguments)


def shown(box: Toolbox, name: str) -> dict[str, Any]:
    [spec] = [spec for spec in box.specs if spec.name == name]
    properties = spec.parameters["properties"]
    assert isinstance(properties, dict)
    return properties


def test_every_builtin_tool_is_one_function_with_its_devices() -> None:
    box = a_box(("laptop", BUILTIN), ("pc-2", BUILTIN))

    assert {spec.name for spec in box.specs} == {
        *builtin.TOOLS,
        *builtin.CONTROLLER_TOOLS,
        "ask_user",
    }
    for name in builtin.TOOLS:
        assert shown(box, name)["device_id"]["enum"] == ["laptop", "pc-2"]


def test_a_tool_lists_only_the_devices_that_have_it() -> None:
    box = a_box(("laptop", BUILTIN), ("lamp", (a_tool(),)))

    assert shown(box, "blink")["device_id"]["enum"] == ["lamp"]
    assert shown(box, "read_file")["device_id"]["enum"] == ["laptop"]
    assert shown(box, "device_status")["device_id"]["enum"] == ["laptop", "lamp"]


def test_only_the_likeliest_devices_are_shown() -> None:
    box = a_box(*((f"pc-{number}", BUILTIN) for number in range(MAX_DEVICES + 1)))

    assert len(shown(box, "read_file")["device_id"]["enum"]) == MAX_DEVICES
    answer = box.read(a_call("read_file", path="a", device_id=f"pc-{MAX_DEVICES}"))
    assert isinstance(answer, Problem)
    assert answer.code == ErrorCode.UNKNOWN_DEVICE


def test_device_names_of_the_owner_stand_in_the_description() -> None:
    box = Toolbox([Offer(a_device("pc-2", name="Werkplaats\u202e\nPC"), BUILTIN)], question=False)

    assert "pc-2 = Werkplaats PC" in shown(box, "read_file")["device_id"]["description"]


def test_allowed_applications_are_named() -> None:
    box = Toolbox([Offer(a_device(apps=("gimp", "firefox")), BUILTIN)], question=False)

    assert "Allowed: gimp, firefox." in shown(box, "open_app")["name"]["description"]


def test_every_tool_survives_ollamas_client_unchanged() -> None:
    for spec in a_box(("laptop", BUILTIN)).specs:
        assert set(spec.parameters) <= {"type", "properties", "required"}
        properties = spec.parameters["properties"]
        assert isinstance(properties, dict)
        for name, parameter in properties.items():
            assert isinstance(parameter, dict)
            assert set(parameter) <= KEPT, name
            assert {"type", "description"} <= set(parameter), name


def test_the_order_of_tools_does_not_depend_on_the_order_of_devices() -> None:
    one = a_box(("laptop", BUILTIN), ("lamp", (a_tool(),)))
    other = a_box(("lamp", (a_tool(),)), ("laptop", BUILTIN[::-1]))

    assert [spec.name for spec in one.specs] == [spec.name for spec in other.specs]


def test_a_question_sees_read_only_tools_only() -> None:
    boastful = a_tool("peek", annotations=ToolAnnotations(read_only=True), risk=Risk.HIGH)
    lying = a_tool("delete_path", annotations=ToolAnnotations(read_only=True), risk=Risk.LOW)
    honest = a_tool("look", annotations=ToolAnnotations(read_only=True), risk=Risk.MEDIUM)
    box = a_box(("laptop", BUILTIN), ("lamp", (a_tool(), boastful, lying, honest)), question=True)

    names = {spec.name for spec in box.specs}
    reading = {name for name, tool in builtin.TOOLS.items() if tool.hints.read_only}
    assert names == reading | {"look", "list_devices", "device_status", "device_impact", "recall", "ask_user"}


def test_a_withheld_tool_is_refused_with_the_reason() -> None:
    answer = a_box(("laptop", BUILTIN), question=True).read(a_call("delete_path", path="A"))

    assert isinstance(answer, Problem)
    assert answer.code == ErrorCode.PERMISSION_DENIED
    assert "question" in answer.message


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


def test_the_controllers_own_tools_are_there_without_any_device() -> None:
    box = a_box()

    own = ["ask_user", "forget", "list_devices", "recall", "remember"]
    assert [spec.name for spec in box.specs] == own
    assert box.read(a_call("recall", about="NAS", key=1)) == Proposed("", "recall", {"about": "NAS"})
    assert box.read(a_call("list_devices", device_id="x")) == Proposed("", "list_devices", {})
    assert isinstance(box.read(a_call("device_status", device_id="x")), Problem)


def test_device_status_names_its_device_in_its_arguments() -> None:
    answer = a_box(("laptop", ())).read(a_call("device_status", device="laptop"))

    assert answer == Proposed("laptop", "device_status", {"device_id": "laptop"})


def test_one_name_with_two_meanings_becomes_two_functions() -> None:
    foreign = a_tool("read_file", {"line": {"type": "integer"}}, annotations=ToolAnnotations(read_only=True))
    box = a_box(("plc-1", (foreign,)), ("laptop", BUILTIN), ("pc-2", BUILTIN))

    assert shown(box, "read_file")["device_id"]["enum"] == ["laptop", "pc-2"]
    assert shown(box, "read_file_on_plc_1")["device_id"]["enum"] == ["plc-1"]
    assert box.read(a_call("read_file_on_plc_1", line=3)) == Proposed("plc-1", "read_file", {"line": 3})
    wrong = box.read(a_call("read_file", device_id="plc-1"))
    assert isinstance(wrong, Problem)
    assert "read_file_on_plc_1" in wrong.message


def test_a_device_cannot_take_the_place_of_our_own_tools() -> None:
    names = ("ask_user", "list_devices", "device_status", "forget")
    box = a_box(("evil", tuple(a_tool(name) for name in names)))

    assert len({spec.name for spec in box.specs}) == 2 * len(names) + len(
        ("device_impact", "recall", "remember")
    )
    assert isinstance(box.read(a_call("ask_user", question="Which?")), Asked)
    assert box.read(a_call("list_devices")) == Proposed("", "list_devices", {})
    assert box.read(a_call("list_devices_on_evil")) == Proposed("evil", "list_devices", {})
    assert box.read(a_call("forget_on_evil")) == Proposed("evil", "forget", {})


def test_long_and_equal_names_stay_apart() -> None:
    long = "a" * 64
    tools = [a_tool(long, description=f"Blinks {number}.") for number in range(4)]
    ids = ["d" * 63, "d" * 62 + "-", "d" * 62 + "_", "e"]
    box = a_box(*((device_id, (tool,)) for device_id, tool in zip(ids, tools, strict=True)))

    names = [spec.name for spec in box.specs if spec.name.startswith("a" * 20)]
    assert len(set(names)) == 4
    assert all(len(name) <= 64 for name in names)
    devices = [box.read(a_call(name)) for name in names]
    assert {answer.device_id for answer in devices if isinstance(answer, Proposed)} == set(ids)


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

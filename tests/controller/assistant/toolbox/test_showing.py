"""A model is shown each tool once, with the devices that have it, and what it may not use is withheld."""

from controller.assistant.toolbox import MAX_DEVICES, Asked, Offer, Problem, Proposed, Toolbox
from schemas import builtin
from schemas.devices import Risk, ToolAnnotations
from schemas.errors import ErrorCode
from tests.controller.assistant.toolbox.box import BUILTIN, a_box, a_call, a_device, a_tool, shown

KEPT = {"type", "items", "description", "enum"}  # what Ollama's client leaves of a parameter


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


def test_the_controllers_own_tools_are_there_without_any_device() -> None:
    box = a_box()

    own = ["ask_user", "forget", "list_devices", "recall", "remember"]
    assert [spec.name for spec in box.specs] == own
    assert box.read(a_call("recall", about="NAS", key=1)) == Proposed("", "recall", {"about": "NAS"})
    assert box.read(a_call("list_devices", device_id="x")) == Proposed("", "list_devices", {})
    assert isinstance(box.read(a_call("device_status", device_id="x")), Problem)


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

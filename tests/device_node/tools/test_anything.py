"""Whatever is asked of the file tools, they answer or refuse, and stay inside."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_node.tools.tool import ToolError
from schemas.builtin import TOOLS
from tests.device_node.tools.desk import SECRET, Desk, tree

NAMES = [
    "a",
    "b",
    "file",
    "in",
    "out",
    "up",
    "loop",
    "dangling",
    "new",
    "é",
    "..",
    ".",
    "~",
    "x" * 300,
    "\0",
    "\\",
    "／",
]
FILE_TOOLS = [name for name, tool in TOOLS.items() if "path" in json.dumps(tool.parameters)] + ["undo"]

plain = st.lists(st.sampled_from(["a", "b", "file", "in", "new"]), min_size=1, max_size=2)
paths = plain | plain | st.lists(st.sampled_from(NAMES), max_size=4)
ids = st.sampled_from(["c1", "c2", "c3"])
oddities = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    tool = draw(st.sampled_from(FILE_TOOLS))
    arguments: dict[str, Any] = {}
    for name in ("path", "source", "destination"):
        arguments[name] = draw(paths)
    arguments |= {
        "content": draw(st.text(max_size=10)),
        "pattern": draw(st.sampled_from(["*", "a", "[", "?*", "/"])),
        "overwrite": draw(st.booleans()),
        "sha256": draw(st.booleans()),
        "limit": draw(st.integers(1, 5)),
        "max_bytes": draw(st.integers(1, 100)),
        "command_id": draw(ids),
    }
    properties = TOOLS[tool].parameters["properties"]
    assert isinstance(properties, dict)
    chosen = {name: value for name, value in arguments.items() if name in properties}
    if draw(st.integers(0, 9)) == 0:
        chosen[draw(st.sampled_from(sorted(arguments)))] = draw(oddities)
    return tool, chosen


def furnish(desk: Desk) -> None:
    """Put back what earlier calls may have taken away."""
    for name in ("a", "file"):
        if not (desk.folder / name).exists() and not (desk.folder / name).is_symlink():
            (desk.folder / name).mkdir() if name == "a" else (desk.folder / name).write_text("text")
    for name, target in (
        ("in", "a"),
        ("out", "../outside"),
        ("up", ".."),
        ("loop", "loop"),
        ("dangling", "../outside/new"),
    ):
        if not (desk.folder / name).is_symlink() and not (desk.folder / name).exists():
            (desk.folder / name).symlink_to(target)


def test_any_series_of_calls_stays_inside_and_leaves_no_rubbish() -> None:
    with tempfile.TemporaryDirectory() as top:
        desk = Desk(Path(top))

        @settings(
            max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
        )
        @given(calls(), ids, st.booleans())
        def every_call(call: tuple[str, dict[str, Any]], command_id: str, dry_run: bool) -> None:
            furnish(desk)
            tool, drawn = call
            arguments = {
                name: "/".join([desk.at(), *value]) if isinstance(value, list) else value
                for name, value in drawn.items()
            }
            before = desk.tree()
            try:
                result = desk.run(tool, command_id, dry_run=dry_run, **arguments)
            except ToolError as error:
                json.dumps(error.body().to_json()).encode()
                if error.code != "conflict" or tool != "undo":
                    # what failed changed nothing, but for the missing folders above a new one
                    assert {name: kind for name, kind in desk.tree().items() if kind != "/"} == {
                        name: kind for name, kind in before.items() if kind != "/"
                    }
            else:
                assert SECRET not in json.dumps(result, allow_nan=False)
                if dry_run or TOOLS[tool].hints.read_only:
                    assert desk.tree() == before

        every_call()

        assert tree(desk.outside) == {"secret": SECRET}
        assert not list(desk.folder.rglob(".orion-*"))
        assert sorted(path.name for path in Path(top).iterdir()) in (
            ["allowed", "data", "outside"],
            ["allowed", "outside"],
        )

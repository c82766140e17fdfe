"""A dry run says what it would do, does nothing, and checks paths like a real one."""

import pytest

from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import SECRET, Desk


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_directory", {"path": "new/deep"}),
        ("write_file", {"path": "new", "content": "x"}),
        ("write_file", {"path": "file", "content": "x", "overwrite": True}),
        ("copy_path", {"source": "file", "destination": "new"}),
        ("move_path", {"source": "file", "destination": "new"}),
        ("delete_path", {"path": "file"}),
    ],
)
def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    desk: Desk, tool: str, arguments: dict[str, object]
) -> None:
    (desk.folder / "file").write_text("old")
    absolute = {
        name: desk.at(value)
        if name in ("path", "source", "destination") and isinstance(value, str)
        else value
        for name, value in arguments.items()
    }

    result = desk.run(tool, dry_run=True, **absolute)

    assert result["would"].endswith(".")
    assert desk.tree() == {"file": "old"}
    assert not desk.node.data_dir.exists()


@pytest.mark.parametrize("tool", ["create_directory", "delete_path"])
def test_a_dry_run_checks_paths_like_a_real_one(desk: Desk, tool: str) -> None:
    (desk.folder / "out").symlink_to(desk.outside)

    with pytest.raises(ToolError) as refused:
        desk.run(tool, dry_run=True, path=desk.at("out", "secret"))

    assert refused.value.code is ErrorCode.PATH_NOT_ALLOWED
    assert (desk.outside / "secret").read_text() == SECRET

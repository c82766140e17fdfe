"""What `examples/` promises of itself."""

import ast
from pathlib import Path

import pytest

from tests.examples.lamps import MICROPYTHON, PAHO, ROOT

OURS = {"schemas", "broker", "controller", "device_node", "orion"}


@pytest.mark.parametrize("example", [PAHO, MICROPYTHON], ids=lambda path: path.stem)
def test_an_example_is_one_page_and_knows_nothing_of_ours(example: Path) -> None:
    source = example.read_text()
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [each.name for each in node.names] if isinstance(node, ast.Import) else [str(node.module)]
        )
    }

    assert len(source.splitlines()) < 100
    assert max(map(len, source.splitlines())) <= 125
    assert not imported & OURS


def test_every_example_is_explained() -> None:
    explained = (ROOT / "examples" / "README.md").read_text()

    assert all(path.name in explained for path in (ROOT / "examples").glob("*.py"))

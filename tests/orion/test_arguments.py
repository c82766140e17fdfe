"""`key=value` words become arguments of the kind that the tool's schema wants."""

from typing import Any

import pytest
import typer

from orion.nouns.run import parse
from schemas import builtin


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "5", "5"),
        ("string", "true", "true"),
        ("string", '{"a": 1}', '{"a": 1}'),
        ("string", "", ""),
        ("string", "a=b", "a=b"),
        ("integer", "5", 5),
        ("integer", "five", "five"),
        ("integer", "true", "true"),
        ("integer", "5.5", "5.5"),
        ("number", "5.5", 5.5),
        ("number", "false", "false"),
        ("boolean", "true", True),
        ("boolean", "1", "1"),
        ("array", '["a", 1]', ["a", 1]),
        ("array", "a,b", "a,b"),
        ("object", '{"a": 1}', {"a": 1}),
        ("null", "null", None),
        (["integer", "null"], "null", None),
        (["integer", "null"], "3", 3),
        (["string", "integer"], "3", 3),
    ],
)
def test_a_value_is_json_only_where_the_schema_wants_that_kind(kind: Any, text: str, value: Any) -> None:
    found = parse([f"key={text}"], {"key": {"type": kind}})["key"]

    assert (found, type(found)) == (value, type(value))


def test_a_key_that_the_schema_does_not_know_is_text() -> None:
    assert parse(["x=5"], {}) == {"x": "5"}


def test_the_built_in_tools_take_words() -> None:
    schema = builtin.TOOLS["write_file"].parameters["properties"]
    assert isinstance(schema, dict)

    found = parse(["path=a.txt", "content=5", "overwrite=true"], schema)

    assert found == {"path": "a.txt", "content": "5", "overwrite": True}


@pytest.mark.parametrize("words", [["path"], ["=x"], ["a=1", "a=2"]])
def test_what_is_no_key_and_value_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        parse(words, {})

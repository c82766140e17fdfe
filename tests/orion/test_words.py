"""What people type: arguments of the kind that the tool's schema wants, durations, rates, conditions."""

from datetime import datetime
from typing import Any

import pytest
import typer

from orion import words
from schemas import builtin
from schemas.wire import format_instant
from tests.factories import NOON


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
    found = words.arguments([f"key={text}"], {"key": {"type": kind}})["key"]

    assert (found, type(found)) == (value, type(value))


def test_a_key_that_the_schema_does_not_know_is_text() -> None:
    assert words.arguments(["x=5"], {}) == {"x": "5"}


def test_the_built_in_tools_take_words() -> None:
    schema = builtin.TOOLS["write_file"].parameters["properties"]
    assert isinstance(schema, dict)

    found = words.arguments(["path=a.txt", "content=5", "overwrite=true"], schema)

    assert found == {"path": "a.txt", "content": "5", "overwrite": True}


@pytest.mark.parametrize("said", [["path"], ["=x"], ["a=1", "a=2"]])
def test_what_is_no_key_and_value_is_a_usage_error(said: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        words.arguments(said, {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("1.5m", 90), ("10m", 600), ("2h", 7200), (" 7d ", 604_800), ("0.5", 0.5)],
)
def test_a_duration_is_seconds_or_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert words.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("30d", "2026-01-13T12:00:00.000Z"),
        ("90", "2026-02-12T11:58:30.000Z"),
        ("2026-02-01T12:30Z", "2026-02-01T12:30:00.000Z"),
        ("2026-02-01T12:30+02:00", "2026-02-01T10:30:00.000Z"),
    ],
)
def test_a_moment_is_so_long_ago_or_a_date(text: str, instant: str) -> None:
    assert words.instant(text, now=NOON, hint="--since") == instant


def test_a_day_begins_by_the_clock_on_the_wall() -> None:
    begins = datetime(2026, 2, 1).astimezone()

    assert words.instant("2026-02-01", now=NOON, hint="--since") == format_instant(begins)


@pytest.mark.parametrize(
    "text", ["", "gisteren", "2026-13-01", "-1d", "0d", "9999999d", "0001-01-01T00:00+23:00", "12:00"]
)
def test_what_is_no_moment_is_said(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        words.instant(text, now=NOON, hint="--since")


@pytest.mark.parametrize("text", ["", "m", "10x", "-5s", "1h30", "1e3", "ten", "nan", "0", "8d", "9" * 400])
def test_what_is_no_duration_is_said_with_what_would_be(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"10m|7d"):
        words.duration(text)


@pytest.mark.parametrize(
    ("text", "per_second"), [("5", 5), ("5/s", 5), ("30/m", 0.5), ("900 / h", 0.25), ("0.5", 0.5)]
)
def test_a_rate_is_so_many_a_second_unless_it_says_otherwise(text: str, per_second: float) -> None:
    assert words.rate(text) == per_second


@pytest.mark.parametrize("text", ["", "0", "0/m", "-1", "5/d", "5/", "/s", "fast"])
def test_what_is_no_rate_is_said_with_what_would_be(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="30/m"):
        words.rate(text)


def schema_of(tool: str) -> Any:
    """What the built-in tools say of their arguments."""
    return builtin.TOOLS[tool].parameters["properties"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("online", "online"),
        ("path_info path=~/Backup", {"tool": "path_info", "arguments": {"path": "~/Backup"}}),
        (
            "path_info path=~/Backup sha256=true exists",
            {"tool": "path_info", "arguments": {"path": "~/Backup", "sha256": True}, "field": "exists"},
        ),
        (
            "path_info path='a folder' exists",
            {"tool": "path_info", "arguments": {"path": "a folder"}, "field": "exists"},
        ),
        (r"path_info path=C:\Users", {"tool": "path_info", "arguments": {"path": r"C:\Users"}}),
        ("system_info", {"tool": "system_info", "arguments": {}}),
        ("service_status active", {"tool": "service_status", "arguments": {}, "field": "active"}),
    ],
)
def test_a_condition_is_a_tool_its_arguments_and_a_field(text: str, expected: Any) -> None:
    assert words.condition(text, schema_of) == expected


@pytest.mark.parametrize(
    "text", ["", "path=x", "path_info exists path=x", "path_info a b", "path_info path='x", "online now then"]
)
def test_what_is_no_condition_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        words.condition(text, schema_of)

"""Arguments against a device's own schema: marks that cannot hide, secrets that are not said."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.services import arguments
from controller.services.arguments import UnusableSchema
from schemas.devices import Tool
from tests.factories import a_tool
from tests.serving import Served

PATH = {"type": "string", "format": "path"}
APP = {"type": "string", "format": "app"}
SECRET = {"type": "string", "writeOnly": True}


def tool(properties: Any, **more: Any) -> Tool:
    return a_tool(parameters={"type": "object", "properties": properties} | more)


HIDING_PLACES: dict[str, dict[str, Any]] = {
    "anyOf": {"anyOf": [PATH, {"type": "null"}]},
    "allOf": {"allOf": [PATH]},
    "oneOf": {"oneOf": [PATH]},
    "not": {"not": PATH},
    "if": {"if": {"type": "string"}, "then": PATH},
    "prefixItems": {"type": "array", "prefixItems": [PATH]},
    "contains": {"type": "array", "contains": PATH},
    "additionalProperties": {"type": "object", "additionalProperties": PATH},
    "patternProperties": {"type": "object", "patternProperties": {".*": PATH}},
    "dependentSchemas": {"type": "object", "dependentSchemas": {"x": PATH}},
    "definitions": {"$ref": "#/$defs/p", "$defs": {"p": PATH}},
}


@pytest.mark.parametrize("place", list(HIDING_PLACES.values()), ids=list(HIDING_PLACES))
@pytest.mark.parametrize("mark", [PATH, APP, SECRET], ids=["path", "app", "secret"])
def test_a_mark_that_stands_out_of_sight_makes_the_tool_unusable(
    place: dict[str, Any], mark: dict[str, Any]
) -> None:
    hidden = json.loads(json.dumps(place).replace(json.dumps(PATH), json.dumps(mark)))

    with pytest.raises(UnusableSchema):
        arguments.signature(tool({"where": hidden}))


@pytest.mark.parametrize("reference", ["#/properties/a", "#", "#named"])
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_marked_argument_cannot_be_referred_to_from_elsewhere(keyword: str, reference: str) -> None:
    marked = PATH | {"$anchor": "named", "$dynamicAnchor": "named"}

    with pytest.raises(UnusableSchema):
        arguments.signature(tool({"a": marked, "b": {keyword: reference}}))


def test_a_reference_among_plain_arguments_is_no_harm() -> None:
    signature = arguments.signature(tool({"a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}}))

    assert signature.fault({"b": 1}) is None
    assert signature.fault({"b": "x"}) is not None


def test_a_secret_path_is_unusable_since_nobody_could_judge_it() -> None:
    with pytest.raises(UnusableSchema):
        arguments.signature(tool({"key_file": PATH | {"writeOnly": True}}))
    with pytest.raises(UnusableSchema):
        arguments.signature(
            tool({"keys": {"type": "object", "writeOnly": True, "properties": {"file": PATH}}})
        )


def test_marks_are_found_in_objects_and_lists() -> None:
    signature = arguments.signature(
        tool({"files": {"type": "array", "items": {"type": "object", "properties": {"at": PATH}}}})
    )

    found = signature.marked({"files": [{"at": "a"}, {"at": "b"}, {}]}, "path")

    assert [(each.where, each.value) for each in found] == [("files[0].at", "a"), ("files[1].at", "b")]


def test_a_marked_value_is_replaced_in_the_copy_alone() -> None:
    signature = arguments.signature(tool({"path": PATH}))
    call: dict[str, Any] = {"path": "x"}

    copy = signature.copy(call)
    signature.marked(copy, "path")[0].put("/srv/x")

    assert (call, copy) == ({"path": "x"}, {"path": "/srv/x"})


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": [1]},
        {"type": "object", "properties": {"a": 1}},
        {"type": "object", "properties": {"a": {"type": "text"}}},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        {"type": "object", "properties": {"a": {"pattern": "(?=a)"}}},
        {"type": "object", "properties": {"a": {"pattern": "((a{100}){100}){100}"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}},
        {"type": "object", "required": "a"},
    ],
)
def test_a_schema_that_is_none_makes_the_tool_unusable(parameters: dict[str, Any]) -> None:
    with pytest.raises(UnusableSchema):
        arguments.signature(a_tool(parameters=parameters))


def test_a_catastrophic_pattern_answers_at_once() -> None:
    signature = arguments.signature(tool({"a": {"type": "string", "pattern": "^(a|a)*(a+)+$"}}))

    # an engine that backtracks would still be at it when the universe ends
    assert signature.fault({"a": "a" * 20_000 + "!"}) is not None
    assert signature.fault({"a": "a" * 20_000}) is None


def test_a_schema_opens_no_connection() -> None:
    asked: list[str] = []

    class Remote(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

    with Served(HTTPServer(("127.0.0.1", 0), Remote)) as served:
        address = f"{served.url}/schema"
        for keyword in ("$schema", "$id"):
            signature = arguments.signature(tool({"a": {"type": "integer"}}, **{keyword: address}))
            assert signature.fault({"a": "x"}) is not None

    assert asked == []


SECRETIVE = {
    "user": {"type": "string"},
    "pin": {"type": "string", "writeOnly": True, "maxLength": 4},
    "creds": {
        "type": "object",
        "writeOnly": True,
        "properties": {"key": {"type": "integer"}},
    },
    "doors": {"type": "array", "items": {"type": "object", "properties": {"code": SECRET}}},
}


@pytest.mark.parametrize(
    "call",
    [
        {"pin": "s3cr3t"},
        {"pin": ["s3cr3t"]},
        {"creds": {"key": "s3cr3t"}},
        {"creds": "s3cr3t"},
        {"doors": [{"code": {"s": "s3cr3t"}}]},
        {"user": 1, "pin": "s3cr3t"},
        {"pin": "s3cr3t", "extra": 1},
    ],
)
@pytest.mark.parametrize(
    "more",
    [
        {"additionalProperties": False},
        {"anyOf": [{"required": ["nothing"]}]},
        {"maxProperties": 0},
        {"not": {}},
    ],
)
def test_a_fault_says_no_value(call: dict[str, Any], more: dict[str, Any]) -> None:
    schema = tool(SECRETIVE, **more)

    fault = arguments.signature(schema).fault(call)

    assert fault is not None
    assert "s3cr3t" not in fault
    assert "s3cr3t" not in json.dumps(arguments.redacted(schema.parameters, call))


def test_where_a_secret_could_hide_every_argument_is_hidden() -> None:
    hidden = tool({"a": {"anyOf": [SECRET]}, "b": {"type": "string"}})
    referred = tool({"a": SECRET, "b": {"$ref": "#/properties/a"}})
    whole = tool({"a": {"type": "string"}}, writeOnly=True)

    for schema in (hidden, referred, whole):
        assert arguments.redacted(schema.parameters, {"a": "1", "b": "2"}) == {"a": "***", "b": "***"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
def test_redaction_takes_any_arguments_and_never_shows_the_secret(value: Any) -> None:
    call = {"pin": value, "user": "ada", "creds": value, "doors": [{"code": value}]}

    shown = arguments.redacted(tool(SECRETIVE).parameters, call)

    assert shown == {"pin": "***", "user": "ada", "creds": "***", "doors": [{"code": "***"}]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", 10**400, 2**53])
def test_what_has_no_canonical_form_is_known(value: Any) -> None:
    assert not arguments.is_canonical({"a": value})


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {"\udfff": 1}])
def test_what_is_no_json_is_not_recorded(value: Any) -> None:
    assert arguments.recordable({"a": value}) == {}
    assert arguments.recordable({"a": 1}) == {"a": 1}


def test_a_tool_has_one_hash_whatever_the_order_of_its_fields() -> None:
    one = a_tool(parameters={"type": "object", "properties": {"a": {}, "b": {}}})
    other = a_tool(parameters={"properties": {"b": {}, "a": {}}, "type": "object"})

    assert arguments.tool_hash(one) == arguments.tool_hash(other)
    assert arguments.tool_hash(one) != arguments.tool_hash(a_tool())

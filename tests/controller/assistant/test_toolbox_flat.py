"""A tool's schema as it reaches a model: four keywords, and the rest in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.assistant.toolbox import flat

KEPT = {"type", "items", "description", "enum"}  # what Ollama's client leaves of a parameter


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "description": "A."}, {"type": "string", "description": "A."}),
        ({"type": ["string", "null"]}, {"type": "string", "description": ""}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "integer", "description": ""}),
        ({"type": ["string", "integer"]}, {"type": ["string", "integer"], "description": ""}),
        ({"const": 5}, {"type": "integer", "enum": [5], "description": ""}),
        ({"enum": ["a", None]}, {"type": "string", "enum": ["a"], "description": ""}),
        ({"$ref": "#/$defs/Mode"}, {"type": "string", "enum": ["on", "off"], "description": ""}),
        ({"$ref": "#/$defs/Loop"}, {"type": "string", "description": ""}),
        ({"$ref": "#/nowhere"}, {"type": "string", "description": ""}),
        ({}, {"type": "string", "description": ""}),
        (
            {"type": "integer", "minimum": 1, "maximum": 9, "default": 2},
            {"type": "integer", "description": "1 to 9. Default 2."},
        ),
        ({"type": "number", "maximum": 9}, {"type": "number", "description": "Up to 9."}),
        (
            {"type": "string", "maxLength": 8, "pattern": "^a", "format": "date"},
            {"type": "string", "description": "At most 8 characters. Must match ^a. Format date."},
        ),
        (
            {"type": "array", "items": {"$ref": "#/$defs/Mode"}},
            {"type": "array", "items": {"type": "string", "enum": ["on", "off"]}, "description": ""},
        ),
        (
            {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
            {"type": "array", "items": {"type": "object"}, "description": "Each an object with x (number)."},
        ),
        (
            {"properties": {"x": {"type": "number"}, "y": {}}, "required": ["x"]},
            {"type": "object", "description": "An object with x (number, required), y (string)."},
        ),
    ],
)
def test_a_schema_is_flattened_without_losing_what_matters(schema: Any, expected: Any) -> None:
    defs: Any = {"Mode": {"enum": ["on", "off"]}, "Loop": {"$ref": "#/$defs/Loop"}}

    assert flat.flatten({"type": "object", "properties": {"a": schema}, "$defs": defs}) == {"a": expected}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "items", "enum", "$ref", "anyOf", "properties", "required", "description"]
            )
            | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3), JSON)
def test_any_schema_is_flattened(properties: Any, required: Any) -> None:
    flattened = flat.flatten({"type": "object", "properties": properties, "required": required})

    assert set(flattened) == set(properties)
    assert all(set(parameter) <= KEPT for parameter in flattened.values())

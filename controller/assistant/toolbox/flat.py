"""A tool's JSON Schema, flattened to what reaches a model.

The one rule: of a parameter only `type`, `items`, `description` and `enum` travel,
so what else matters is said in the description.
"""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from controller.assistant import sanitize

MAX_DESCRIPTION = 400  # characters of one parameter
MAX_CHOICES = 50
MAX_HOPS = 8  # from reference to reference
SHORT_TEXT = 1000  # characters; a longer limit is none that a model comes near
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}

Schema = Mapping[str, JsonValue]


def flatten(parameters: Schema) -> dict[str, dict[str, JsonValue]]:
    """Each parameter by name, with the four keywords that are kept."""
    return {name: _property(schema, parameters) for name, schema in properties(parameters).items()}


def properties(parameters: Schema) -> dict[str, Schema]:
    """The parameters as the tool declares them."""
    declared = parameters.get("properties")
    if not isinstance(declared, dict):
        return {}
    return {name: schema if isinstance(schema, dict) else {} for name, schema in declared.items()}


def required(parameters: Schema) -> list[str]:
    """The names of the parameters that must be given."""
    names = parameters.get("required")
    known = properties(parameters)
    return (
        [name for name in names if isinstance(name, str) and name in known] if isinstance(names, list) else []
    )


def takes_null(schema: Schema) -> bool:
    """Whether null is a value of its own here, and not a way to leave the parameter out."""
    kinds = schema.get("type")
    if kinds is None:
        return "enum" not in schema or None in _as_list(schema["enum"])
    return "null" in _as_list(kinds)


def _property(schema: Schema, root: Schema) -> dict[str, JsonValue]:
    whole = _plain(schema, root)
    flat: dict[str, JsonValue] = {"type": _type(whole)}
    choices = _choices(whole)
    if choices:
        flat["enum"] = choices
    if flat["type"] == "array":
        items = whole.get("items")
        flat["items"] = _items(_plain(items, root) if isinstance(items, dict) else {})
    flat["description"] = sanitize.one_line(" ".join(_sentences(whole, root)), MAX_DESCRIPTION)
    return flat


def _plain(schema: Schema, root: Schema) -> Schema:
    """The schema itself: references followed, `X or null` read as an optional X."""
    for _ in range(MAX_HOPS):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            schema = _target(reference, root) | {key: schema[key] for key in schema if key != "$ref"}
            continue
        variants = [item for key in ("anyOf", "oneOf", "allOf") for item in _as_list(schema.get(key))]
        real = [item for item in variants if isinstance(item, dict) and item.get("type") != "null"]
        if len(real) != 1:
            return schema
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "allOf")}
        schema = real[0] | rest
    return {}


def _target(reference: str, root: Schema) -> dict[str, JsonValue]:
    found: JsonValue = dict(root)
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _type(schema: Schema) -> JsonValue:
    kinds = [kind for kind in _as_list(schema.get("type")) if isinstance(kind, str) and kind != "null"]
    if not kinds:
        kinds = list(dict.fromkeys(_KINDS[type(choice)] for choice in _choices(schema)))
    if not kinds and "properties" in schema:
        return "object"
    several: list[JsonValue] = list(kinds)
    return kinds[0] if len(kinds) == 1 else several or "string"


def _choices(schema: Schema) -> list[JsonValue]:
    choices = [schema["const"]] if "const" in schema else _as_list(schema.get("enum"))
    kept: list[JsonValue] = [choice for choice in choices if choice is not None]
    return kept[:MAX_CHOICES]


def _items(schema: Schema) -> dict[str, JsonValue]:
    kept: dict[str, JsonValue] = {"type": _type(schema)}
    if choices := _choices(schema):
        kept["enum"] = choices
    return kept


def _sentences(schema: Schema, root: Schema) -> list[str]:
    said = [schema["description"]] if isinstance(schema.get("description"), str) else []
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None or most is not None:
        said.append(
            f"From {least}." if most is None else f"Up to {most}." if least is None else f"{least} to {most}."
        )
    longest = schema.get("maxLength")
    if isinstance(longest, int) and longest < SHORT_TEXT:
        said.append(f"At most {longest} characters.")
    for keyword, words in (("pattern", "Must match"), ("default", "Default")):
        if keyword in schema and schema[keyword] not in (None, ""):
            said.append(f"{words} {_shown(schema[keyword])}.")
    if schema.get("format") not in (None, "path", "app"):
        said.append(f"Format {_shown(schema['format'])}.")
    inner = schema.get("items") if _type(schema) == "array" else schema
    if isinstance(inner, dict) and (fields := _fields(_plain(inner, root), root)):
        said.append(f"{'Each an' if inner is not schema else 'An'} object with {fields}.")
    return [str(sentence) for sentence in said]


def _fields(schema: Schema, root: Schema) -> str:
    must = required(schema)
    return ", ".join(
        f"{name} ({_shown(_type(_plain(inner, root)))}{', required' if name in must else ''})"
        for name, inner in properties(schema).items()
    )


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [] if value is None else [value]

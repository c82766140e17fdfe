"""A call's arguments against its tool's JSON Schema, and the marks that rules hang on.

Validation runs in jsonschema-rs with its linear-time pattern engine, so that a
device's schema cannot make the controller think for ever.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema_rs
import rfc8785

from schemas.devices import Tool
from schemas.wire import JsonObject

HIDDEN = "***"
MAX_SAID = 200  # characters of a validator's sentence that are passed on

Json = Any


class UnusableSchema(ValueError):
    """A tool's parameters cannot be judged, so the tool cannot be called."""


@dataclass(frozen=True, slots=True)
class Found:
    """One argument that carries a mark. `put` writes another value in its place."""

    where: str
    value: Json
    put: Callable[[Json], None]


@dataclass(frozen=True, slots=True)
class Signature:
    """A tool's parameters, compiled once."""

    schema: JsonObject
    validator: jsonschema_rs.Draft202012Validator

    def fault(self, arguments: JsonObject) -> str | None:
        """What does not fit, for a person, without the values; None if all fits."""
        for error in self.validator.iter_errors(arguments):
            where = ".".join(str(part) for part in error.instance_path)
            message = (
                error.message if not _mentions_secret(self.schema, error.instance_path) else "does not fit"
            )
            return f"{where or 'arguments'}: {message}"[:MAX_SAID]
        return None

    def copy(self, arguments: JsonObject) -> JsonObject:
        """A deep copy in which marked values may be replaced."""
        fresh: JsonObject = json.loads(json.dumps(arguments))
        return fresh

    def marked(self, arguments: JsonObject, mark: str) -> list[Found]:
        """The arguments whose schema says `"format": mark`."""
        return list(_find(self.schema, arguments, mark, ""))


@lru_cache(maxsize=4096)
def _compile(canonical: bytes) -> Signature:
    schema = json.loads(canonical)
    for mark in ("path", "app"):
        if _count(schema, mark) != _reachable(schema, mark):
            raise UnusableSchema(f"a {mark} argument stands where it cannot be checked")
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema, pattern_options=jsonschema_rs.RegexOptions(), validate_formats=False
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise UnusableSchema(str(error).splitlines()[0][:MAX_SAID]) from error
    return Signature(schema, validator)


def canonical(value: Json) -> bytes:
    """The RFC 8785 form: the same JSON always gives the same bytes.

    Raises:
        rfc8785.CanonicalizationError: a number that JSON cannot carry exactly.
    """
    return rfc8785.dumps(value)


def is_canonical(value: Json) -> bool:
    """Whether the value has an RFC 8785 form: an approval is bound to it."""
    try:
        canonical(value)
    except rfc8785.CanonicalizationError:
        return False
    return True


def signature(tool: Tool) -> Signature:
    """The compiled parameters of a tool.

    Raises:
        UnusableSchema: no validator can be made of them, or a path or application
            argument hides where the rules would not see it.
    """
    return _compile(canonical(tool.parameters))


def tool_hash(tool: Tool) -> str:
    """SHA-256 of the tool's RFC 8785 form: what an admin adopted, and what built-in means."""
    return _hash(canonical(tool.to_json()))


@lru_cache(maxsize=4096)
def _hash(canonical: bytes) -> str:
    return hashlib.sha256(canonical).hexdigest()


def redacted(schema: JsonObject, arguments: JsonObject) -> JsonObject:
    """The arguments with every `writeOnly` one as `***`, for people and records."""
    copy: JsonObject = json.loads(json.dumps(arguments))
    for found in _find_where(schema, copy, lambda part: part.get("writeOnly") is True, ""):
        found.put(HIDDEN)
    return copy


def _find(schema: Json, value: Json, mark: str, where: str) -> Iterator[Found]:
    return _find_where(schema, value, lambda part: part.get("format") == mark, where)


def _find_where(
    schema: Json, value: Json, wanted: Callable[[dict[str, Json]], bool], where: str
) -> Iterator[Found]:
    if not isinstance(schema, dict):
        return
    if isinstance(value, dict):
        for name, part in (schema.get("properties") or {}).items():
            if name in value and isinstance(part, dict):
                yield from _visit(part, value, name, wanted, f"{where}.{name}" if where else name)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index in range(len(value)):
            yield from _visit(schema["items"], value, index, wanted, f"{where}[{index}]")


def _visit(
    part: dict[str, Json], holder: Json, key: str | int, wanted: Callable[[dict[str, Json]], bool], where: str
) -> Iterator[Found]:
    if wanted(part):
        yield Found(where, holder[key], lambda new: holder.__setitem__(key, new))
    else:
        yield from _find_where(part, holder[key], wanted, where)


def _count(schema: Json, mark: str) -> int:
    """How often the mark stands anywhere in the schema."""
    if isinstance(schema, dict):
        here = 1 if schema.get("format") == mark else 0
        return here + sum(_count(value, mark) for value in schema.values())
    if isinstance(schema, list):
        return sum(_count(value, mark) for value in schema)
    return 0


def _reachable(schema: Json, mark: str) -> int:
    """How often it stands where `marked` looks: along `properties` and `items`."""
    if not isinstance(schema, dict):
        return 0
    if schema.get("format") == mark:
        return 1
    parts = [*(schema.get("properties") or {}).values(), schema.get("items")]
    return sum(_reachable(part, mark) for part in parts)


def _mentions_secret(schema: JsonObject, instance_path: list[str | int]) -> bool:
    part: Json = schema
    for step in instance_path:
        if not isinstance(part, dict):
            return False
        part = part.get("items") if isinstance(step, int) else (part.get("properties") or {}).get(step)
    return isinstance(part, dict) and part.get("writeOnly") is True

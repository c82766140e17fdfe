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
from schemas.topics import with_article
from schemas.wire import JsonObject

HIDDEN = "***"
UNSAID = "the value"  # stands for a value in a validator's sentence: it may be secret, or a page long
MAX_SAID = 200  # characters of a validator's sentence that are passed on

Json = Any
Mark = Callable[[dict[str, Json]], bool]


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
            return f"{where or 'arguments'}: {error.message}"[:MAX_SAID]
        return None

    def copy(self, arguments: JsonObject) -> JsonObject:
        """A deep copy in which marked values may be replaced."""
        fresh: JsonObject = json.loads(json.dumps(arguments))
        return fresh

    def marked(self, arguments: JsonObject, mark: str) -> list[Found]:
        """The arguments whose schema says `"format": mark`."""
        return list(_find(self.schema, arguments, _MARKS[mark], ""))


@lru_cache(maxsize=4096)
def _compile(canonical: bytes) -> Signature:
    schema = json.loads(canonical)
    for name, wanted in _MARKS.items():
        if _count(schema, wanted) != _reachable(schema, wanted):
            raise UnusableSchema(f"{with_article(name)} argument stands where it cannot be checked")
    if any(_count(schema, wanted) for wanted in _MARKS.values()) and _refers(schema):
        raise UnusableSchema("a marked argument may be referred to from where it cannot be checked")
    if any(_judged_in_secret(schema, within=False)):
        raise UnusableSchema("a path or application is marked as a secret, so nobody could judge it")
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema,
            pattern_options=jsonschema_rs.RegexOptions(),
            validate_formats=False,
            mask=UNSAID,
            retriever=_fetch_nothing,
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise UnusableSchema(str(error).splitlines()[0][:MAX_SAID]) from error
    return Signature(schema, validator)


def _fetch_nothing(address: str) -> Json:
    """Stand in the way of a schema that names a document elsewhere: a device opens no connections here."""
    raise ValueError(f"{address} is another document")


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
    """The arguments with every `writeOnly` one as `***`, for people and records.

    They need not fit the schema. Where a secret may stand out of sight, all are hidden.
    """
    if _count(schema, _is_secret) != _reachable(schema, _is_secret) or (
        _count(schema, _is_secret) and _refers(schema)
    ):
        return dict.fromkeys(arguments, HIDDEN)
    copy: JsonObject = json.loads(json.dumps(arguments))
    for found in _find(schema, copy, _is_secret, ""):
        found.put(HIDDEN)
    return copy


def recordable(arguments: JsonObject) -> JsonObject:
    """The arguments, or none where they hold what is not JSON and could not be shown again."""
    try:
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return {}
    return arguments


def _is_path(part: dict[str, Json]) -> bool:
    return part.get("format") == "path"


def _is_app(part: dict[str, Json]) -> bool:
    return part.get("format") == "app"


def _is_secret(part: dict[str, Json]) -> bool:
    return part.get("writeOnly") is True


_MARKS: dict[str, Mark] = {"path": _is_path, "app": _is_app, "secret": _is_secret}


def _find(schema: Json, value: Json, wanted: Mark, where: str) -> Iterator[Found]:
    if not isinstance(schema, dict):
        return
    if isinstance(value, dict):
        for name, part in _properties(schema).items():
            if name in value and isinstance(part, dict):
                yield from _visit(part, value, name, wanted, f"{where}.{name}" if where else name)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index in range(len(value)):
            yield from _visit(schema["items"], value, index, wanted, f"{where}[{index}]")


def _visit(part: dict[str, Json], holder: Json, key: str | int, wanted: Mark, where: str) -> Iterator[Found]:
    if wanted(part):
        yield Found(where, holder[key], lambda new: holder.__setitem__(key, new))
    else:
        yield from _find(part, holder[key], wanted, where)


def _properties(schema: dict[str, Json]) -> dict[str, Json]:
    named = schema.get("properties")
    return named if isinstance(named, dict) else {}  # a device may write anything there


def _everywhere(schema: Json) -> Iterator[dict[str, Json]]:
    """Every object in the schema, whatever it stands for."""
    if isinstance(schema, dict):
        yield schema
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for value in inner:
        yield from _everywhere(value)


def _count(schema: Json, wanted: Mark) -> int:
    """How often the mark stands anywhere in the schema."""
    return sum(1 for part in _everywhere(schema) if wanted(part))


def _reachable(schema: Json, wanted: Mark) -> int:
    """How often it stands where `marked` looks: along `properties` and `items`."""
    if not isinstance(schema, dict):
        return 0
    parts = [*_properties(schema).values(), schema.get("items")]
    return sum((isinstance(part, dict) and wanted(part)) + _reachable(part, wanted) for part in parts)


def _refers(schema: Json) -> bool:
    """Whether a part of the schema is used in another place than where it stands."""
    return any(
        isinstance(part.get(keyword), str)
        for part in _everywhere(schema)
        for keyword in ("$ref", "$dynamicRef")
    )


def _judged_in_secret(schema: Json, *, within: bool) -> Iterator[bool]:
    """For each path and application, whether it stands in a secret."""
    if not isinstance(schema, dict):
        return
    within = within or _is_secret(schema)
    if _is_path(schema) or _is_app(schema):
        yield within
    for part in [*_properties(schema).values(), schema.get("items")]:
        yield from _judged_in_secret(part, within=within)

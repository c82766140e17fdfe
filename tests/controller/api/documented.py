"""Holds what the API answers to its own description: status, media type, headers, and every field.

A field that is not described is a fault here, though a reader of the description has to expect more.
"""

import json
import re
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import httpx
import jsonschema_rs

from controller.api import app
from controller.api.deps import Parts
from controller.api.edge import origins

Json = dict[str, Any]

TEXT = "text/plain"
LINES = "application/x-ndjson"
FORESEEN_BY_NOBODY = 500


@lru_cache(maxsize=1)
def document() -> Json:
    """The description, as a controller gives it."""
    nothing: Any = SimpleNamespace(spec=Parts)  # it is written without looking at the parts
    found: Json = json.loads(json.dumps(app.build(nothing).openapi()))
    return found


def check(answer: httpx.Response) -> None:
    """Fail unless this answer is one that the description has."""
    operation = operation_of(answer.request.method, answer.request.url.path)
    if operation is None or answer.status_code == FORESEEN_BY_NOBODY:
        return
    what = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, f"{what} is not described: {answer.text}"
    _check_headers(answer, described.get("headers", {}), what)
    content = described.get("content")
    if content is None:
        assert answer.content == b"", what
        return
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in content, f"{what} is {kind}"
    validator = _validator(json.dumps(content[kind]["schema"]))
    for text in answer.text.splitlines() if kind == LINES else [answer.text]:
        fault = next(validator.iter_errors(text if kind == TEXT else json.loads(text)), None)
        assert fault is None, f"{what} at {fault.instance_path}: {fault.message[-300:]}"


def _check_headers(answer: httpx.Response, described: Json, what: str) -> None:
    """Those that are always there are; each of ours that is there is described, and is as it says."""
    for name, reference in described.items():
        header = document()["components"]["headers"][reference["$ref"].rsplit("/", 1)[-1]]
        assert name in answer.headers or not header.get("required"), f"{what} has no {name}"
        if name in answer.headers and "schema" in header:
            schema, said = header["schema"], answer.headers[name]
            fits = _validator(json.dumps(schema)).is_valid(int(said) if schema["type"] == "integer" else said)
            assert fits, f"{what} has {name}: {said}"
    for name in origins.SHOWN:
        assert name in described or name not in answer.headers, f"{what} has {name}, which is not described"


def operation_of(method: str, path: str) -> Json | None:
    """The operation that such a request reaches; None: none of those described."""
    for pattern, operations in _paths():
        if pattern.fullmatch(path) and method.lower() in operations:
            found: Json = operations[method.lower()]
            return found
    return None


@lru_cache(maxsize=1)
def _paths() -> list[tuple[re.Pattern[str], Json]]:
    """Paths as they are matched, those without a name in them first."""
    found: dict[str, Json] = document()["paths"]
    return [
        (
            re.compile(
                re.sub(r"\{(\w+)\}", lambda name: ".+" if name[1] in ("key", "name") else "[^/]+", path)
            ),
            each,
        )
        for path, each in sorted(found.items(), key=lambda item: item[0].count("{"))
    ]


@lru_cache(maxsize=1)
def _closed() -> Json:
    """The parts of the description, with no place for a field that they do not have."""
    found: Json = _close(document()["components"])
    return found


def _close(found: Any) -> Any:
    if isinstance(found, list):
        return [_close(each) for each in found]
    if not isinstance(found, dict):
        return found
    closed = {name: _close(each) for name, each in found.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


@lru_cache(maxsize=500)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        json.loads(schema) | {"components": _closed()}, validate_formats=True
    )

"""What a refusal looks like, and which ones a route may answer with."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from controller.api.shapes.shown import Json, example
from schemas.errors import ErrorCode

MEDIA_TYPE = "application/problem+json"
NAME = "Problem"

Answers = dict[int | str, dict[str, Any]]

_TEXT = {"schema": {"type": "string"}}
_ALWAYS: Json = {"required": True}
_SECONDS: Json = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
PERHAPS = "Retry-After-Perhaps"
HEADERS: dict[str, Json] = {  # of answers; the description has each of them once
    "ETag": {"description": "Which version it is, for If-Match and If-None-Match.", **_TEXT, **_ALWAYS},
    "Idempotency-Replayed": {
        "description": "`true` where an earlier request with this key ordered it.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {"description": 'The next page, where there is one: `<…>; rel="next"` (RFC 8288).', **_TEXT},
    "Location": {"description": "Where it is.", **_TEXT, **_ALWAYS},
    "Orion-Api": {"description": "That Orion answers, and by which version of its API.", **_TEXT, **_ALWAYS},
    "Preference-Applied": {"description": "What was done of `Prefer`: `wait=10`.", **_TEXT},
    "Retry-After": {**_SECONDS, **_ALWAYS},
    PERHAPS: _SECONDS,
    "Trace-Id": {
        "description": "The trace of the request, to be found in the log, in the audit and on its commands.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        **_ALWAYS,
    },
    "WWW-Authenticate": {"description": "How to come in: `Bearer`.", **_TEXT, **_ALWAYS},
}


def told(name: str, part: str = "") -> Json:
    """That an answer has this header. `part`: what describes it, if not what is named like it."""
    return {name: {"$ref": f"#/components/headers/{part or name}"}}


OF_ALL = told("Orion-Api") | told("Trace-Id")  # answers
_HEADERS = {
    401: told("WWW-Authenticate"),
    429: told("Retry-After"),
    503: told("Retry-After", PERHAPS),
}
_CODES = {
    401: ErrorCode.PERMISSION_DENIED,
    403: ErrorCode.PERMISSION_DENIED,
    404: ErrorCode.NOT_FOUND,
    408: ErrorCode.TIMEOUT,
    409: ErrorCode.CONFLICT,
    412: ErrorCode.CONFLICT,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    431: ErrorCode.PAYLOAD_TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
    502: ErrorCode.INTERNAL,
    503: ErrorCode.INTERNAL,
}
_MEANINGS = {
    400: "It cannot be read, or could be read in two ways; or, of a token, the grant is refused.",
    401: "No token, or one that opens nothing here and now.",
    403: "Whoever asks may not do this.",
    404: "What was named does not exist, or is not for the caller to see.",
    409: "It does not fit what is there.",
    408: "The body came too slowly.",
    412: "It is not what was looked at any more (If-Match).",
    413: "The body is too large.",
    415: "A body is sent as application/json, as it is.",
    421: "This controller is not known by the name that was asked for.",
    422: "Something in the request does not fit.",
    428: "A change needs If-Match: the ETag of what was looked at, or *.",
    429: "Too much in too short a time.",
    431: "The headers are too large.",
    502: "The language model, or the identity provider, does not answer as it should.",
    503: "The store or the broker is away for a moment, or something is half done; the text says what.",
}
# of every route; 415 of those that read a body, 401 and 403 of all that take a token
EDGE = (400, 408, 413, 421, 431)  # of what is asked without limit too: the request itself does not do
COMMON = (*EDGE, 401, 403, 415, 422, 429, 503)


def _example(status: int) -> Json:
    code = _CODES.get(status, ErrorCode.INVALID_ARGUMENTS).value
    return {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": "A sentence that says what, for a person.",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


class Problem(BaseModel):
    """An error (RFC 9457). `detail` is a sentence for a person; programs look at `code`."""

    model_config = example(_example(404))

    type: str
    title: str
    status: int
    code: ErrorCode
    detail: str
    error: Annotated[
        str | None, Field(description="OAuth's own word for it (RFC 6749), of a token refused.")
    ] = None
    trace_id: Annotated[str, Field(description="That of `Trace-Id`, to be found in the log.")]


def refusals(*statuses: int) -> Answers:
    """What a route may be refused with, beside what is common to all."""
    return {status: _refusal(status) for status in statuses}


def located(status: int) -> Answers:
    """That a route tells where the thing is that it made."""
    return {status: {"headers": told("Location")}}


def versioned(status: int = 200) -> Answers:
    """That a route tells which version it shows."""
    return {status: {"headers": told("ETag")}}


UNCHANGED: Answers = {
    304: {"description": "The caller has it already (If-None-Match).", "headers": told("ETag")}
}


def _refusal(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{NAME}"}, "example": _example(status)}
        },
    }
    if status in _HEADERS:
        found["headers"] = _HEADERS[status]
    return found

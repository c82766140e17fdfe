"""Errors over HTTP: `application/problem+json` (RFC 9457) with our code; one table of statuses."""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from broker.identities import BrokerUnreachable, IdentityError, NameTaken, NotWritten, UnknownIdentity
from controller.api.access.buckets import TooOften
from controller.api.access.elsewhere import ProviderAway
from controller.api.access.refusals import BadRequest, GrantRefused, Unauthorized
from controller.api.access.throttle import TooManyTries
from controller.api.headers import NOT_KEPT
from controller.api.live.hub import TooManyReaders
from controller.api.shapes.problems import MEDIA_TYPE
from controller.assistant.chat import TextTooLong
from controller.errors import (
    Conflict,
    Incomplete,
    InvalidArguments,
    MatchNeeded,
    NotFound,
    OrionError,
    Outdated,
    ProviderError,
    Refused,
    StillAtWork,
    TooManyWaiting,
)
from controller.store.keyring import KeysNotWritten
from controller.store.store import StoreBusy, StoreFailed, StoreRefused
from schemas import context
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"
REALM = "orion"
_SHOULD = re.compile(r"^(Input|String|Value|List|URL) should")
STATUSES: dict[type[OrionError], int] = {
    NotFound: 404,
    Outdated: 412,
    MatchNeeded: 428,
    Conflict: 409,
    InvalidArguments: 422,
    Refused: 403,
    ProviderError: 502,
    StoreBusy: 503,
    StoreFailed: 503,
    StoreRefused: 422,
    Incomplete: 503,
    KeysNotWritten: 503,
    ProviderAway: 502,
    TextTooLong: 413,
    Unauthorized: 401,
    GrantRefused: 400,  # RFC 6749, 5.2
    BadRequest: 400,  # the same
    TooManyTries: 429,
    TooManyWaiting: 429,
    TooOften: 429,
    TooManyReaders: 429,
    OrionError: 500,
}


def status_of(error: OrionError) -> int:
    """The HTTP status of an error: that of its nearest ancestor in the table."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def problem(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: str
) -> JSONResponse:
    """One error as it is sent; `more` are members of its own."""
    body = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    if (trace_id := context.trace_id()) is not None:
        body["trace_id"] = trace_id
    return JSONResponse(body, status, headers={**NOT_KEPT, **(headers or {})}, media_type=MEDIA_TYPE)


def of(error: OrionError, shown: str = "") -> JSONResponse:
    """An error of ours as it is sent. `shown`: the Authorization that came with the request."""
    said, more = {}, {}
    match error:
        case Unauthorized():
            said = {"WWW-Authenticate": _challenge(shown)}
        case StillAtWork():
            said = {"Retry-After": "1"}
        case TooManyTries() | TooManyWaiting() | TooOften() | TooManyReaders():
            said = {"Retry-After": str(error.retry_after)}
        case GrantRefused() | BadRequest():
            more = {"error": error.error}
    return problem(status_of(error), error.code.value, str(error), headers=said, **more)


async def _ours(request: Request, error: Exception) -> Response:
    found = error if isinstance(error, OrionError) else OrionError(str(error))
    return of(found, request.headers.get("authorization", ""))


def _challenge(authorization: str) -> str:
    """What whoever is not let in is told (RFC 6750, 3): whether a token is missing, or was none of ours."""
    scheme, _, shown = authorization.partition(" ")
    is_shown = scheme.lower() == "bearer" and shown.strip() != ""
    return f'Bearer realm="{REALM}"' + (', error="invalid_token"' if is_shown else "")


async def _identity(_request: Request, error: Exception) -> Response:
    if isinstance(error, NameTaken):
        return problem(409, ErrorCode.ALREADY_EXISTS, str(error))
    if isinstance(error, UnknownIdentity):
        return problem(404, ErrorCode.NOT_FOUND, str(error))
    if isinstance(error, BrokerUnreachable | NotWritten):
        return problem(503, ErrorCode.INTERNAL, str(error))
    return problem(422, ErrorCode.INVALID_ARGUMENTS, str(error))


def sentence_of(error: Exception) -> str:
    """What is wrong with a request that does not fit, and where. What was given is not in it."""
    first = error.errors()[0] if isinstance(error, ValidationException) else {"loc": (), "msg": str(error)}
    where = ".".join(str(part) for part in first["loc"][1:] or first["loc"])
    said = _SHOULD.sub("must", str(first["msg"])).removeprefix("Value error, ")
    if where == "device_id" and first.get("type") == "string_pattern_mismatch":
        said = "must be at most 63 of a-z, 0-9, _ and -, and begin with a letter or a digit"
    return f"{where} {said}" if said.startswith("must") else f"{where}: {said}"


async def _invalid(_request: Request, error: Exception) -> Response:
    return problem(422, ErrorCode.INVALID_ARGUMENTS, sentence_of(error))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return problem(500, ErrorCode.INTERNAL, str(error))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = {"Allow": ", ".join(sorted(_methods(request)))}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=allowed)
        said = f"{request.method} is not for this; what is: {allowed['Allow']}."
        return problem(error.status_code, ErrorCode.INVALID_ARGUMENTS, said, headers=allowed)
    code = ErrorCode.NOT_FOUND if error.status_code == HTTPStatus.NOT_FOUND else ErrorCode.INVALID_ARGUMENTS
    return problem(error.status_code, code, str(error.detail), headers=error.headers)


def _methods(request: Request) -> set[str]:
    """What may be done at the path of a request: a router tells those of one route only."""
    here = [
        route
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    # where a word stands that would do as an id too, it is the word
    named = [route for route in here if route.path == request.scope["path"]]
    found = {"OPTIONS"}.union(*(route.methods or () for route in named or here))
    return found | ({"HEAD"} if "GET" in found else set())


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, ErrorCode.INTERNAL, "Something went wrong here; the log says what.")


def install(app: FastAPI) -> None:
    """Translate every error of the application at its edge."""
    app.add_exception_handler(OrionError, _ours)
    app.add_exception_handler(IdentityError, _identity)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)

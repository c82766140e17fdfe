"""Errors over HTTP: `application/problem+json` (RFC 9457) with our code; one table of statuses."""

import logging
import re
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import from_json
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.identities import BrokerUnreachable, IdentityError, NameTaken, NotWritten, UnknownIdentity
from controller.api.access.bearers import Unauthorized
from controller.api.access.doorkeeper import GrantRefused
from controller.api.access.throttle import TooManyTries
from controller.api.live.hub import TooManyReaders
from controller.api.shapes.problems import MEDIA_TYPE
from controller.assistant.chat import TextTooLong
from controller.errors import (
    Conflict,
    Incomplete,
    InvalidArguments,
    NotFound,
    OrionError,
    ProviderError,
    Refused,
)
from controller.store.keyring import KeysNotWritten
from controller.store.store import StoreBusy, StoreFailed, StoreRefused
from schemas import context
from schemas.errors import ErrorCode
from schemas.wire import MAX_PAYLOAD

logger = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"
_SHOULD = re.compile(r"^(Input|String|Value|List|URL) should")
OURS = {"Orion-Api": "1"}  # on every answer: a client can tell us from whoever else has the port
STATUSES: dict[type[OrionError], int] = {
    NotFound: 404,
    Conflict: 409,
    InvalidArguments: 422,
    Refused: 403,
    ProviderError: 502,
    StoreBusy: 503,
    StoreFailed: 503,
    StoreRefused: 422,
    Incomplete: 503,
    KeysNotWritten: 503,
    TextTooLong: 413,
    Unauthorized: 401,
    GrantRefused: 400,  # RFC 6749, 5.2
    TooManyTries: 429,
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
    return JSONResponse(body, status, headers={**OURS, **(headers or {})}, media_type=MEDIA_TYPE)


async def _ours(_request: Request, error: Exception) -> Response:
    found = error if isinstance(error, OrionError) else OrionError(str(error))
    headers, more = {}, {}
    match found:
        case Unauthorized():
            headers = {"WWW-Authenticate": "Bearer"}
        case TooManyTries() | TooManyReaders():
            headers = {"Retry-After": str(found.retry_after)}
        case GrantRefused():
            headers, more = {"Cache-Control": "no-store"}, {"error": found.error}
    return problem(status_of(found), found.code.value, str(found), headers=headers, **more)


async def _identity(_request: Request, error: Exception) -> Response:
    if isinstance(error, NameTaken):
        return problem(409, ErrorCode.ALREADY_EXISTS, str(error))
    if isinstance(error, UnknownIdentity):
        return problem(404, ErrorCode.NOT_FOUND, str(error))
    if isinstance(error, BrokerUnreachable | NotWritten):
        return problem(503, ErrorCode.INTERNAL, str(error))
    return problem(422, ErrorCode.INVALID_ARGUMENTS, str(error))


async def _invalid(_request: Request, error: Exception) -> Response:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    where = ".".join(str(part) for part in first["loc"][1:] or first["loc"])
    said = _SHOULD.sub("must", str(first["msg"])).removeprefix("Value error, ")
    if where == "device_id" and first.get("type") == "string_pattern_mismatch":
        said = "must be at most 63 of a-z, 0-9, _ and -, and begin with a letter or a digit"
    return problem(
        422, ErrorCode.INVALID_ARGUMENTS, f"{where} {said}" if said.startswith("must") else f"{where}: {said}"
    )


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = ErrorCode.NOT_FOUND if status == 404 else ErrorCode.INVALID_ARGUMENTS
    headers = {"Allow": ", ".join(sorted(_methods(request)))} if status == 405 else None
    return problem(status, code, str(getattr(error, "detail", error)), headers=headers)


def _methods(request: Request) -> set[str]:
    """What may be done with a path; each route knows its own method alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, ErrorCode.INTERNAL, "Something went wrong here; the log says what.")


class _Bounded:
    """What is around every request: no body that is too large comes in, and each answer says whose it is.

    Plain ASGI, so that a stream goes out as it is made.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(OURS)
            await send(message)

        refusal = _size_refusal(scope["method"], Headers(scope=scope).get("content-length"))
        await (refusal or self._app)(scope, receive, marked)


def _size_refusal(method: str, length: str | None) -> Response | None:
    if length is None and method in ("POST", "PUT", "PATCH"):
        return problem(411, ErrorCode.INVALID_ARGUMENTS, "A body needs a Content-Length.")
    if length is not None and (not length.isdecimal() or len(length) > 9 or int(length) > MAX_PAYLOAD):
        return problem(413, ErrorCode.PAYLOAD_TOO_LARGE, f"A body may have at most {MAX_PAYLOAD} bytes.")
    return None


async def exact_json(request: Request) -> None:
    """Let through what is JSON to the letter: no NaN, no half of a character, no endless depth.

    Python's own reader takes all three, and what it takes could be stored and never shown again.

    Raises:
        RequestValidationError: the body is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):  # a form with files, which FastAPI has read by now
        raise RequestValidationError([{"loc": ("body",), "msg": f"a form is sent as {FORM}"}])
    if kind == FORM:
        return  # no route that takes JSON takes this
    if body := await request.body():
        try:
            from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise RequestValidationError([{"loc": ("body",), "msg": f"not JSON: {error}"}]) from error


def install(app: FastAPI) -> None:
    """Translate every error of the application at its edge, and bound what comes in."""
    app.add_exception_handler(OrionError, _ours)
    app.add_exception_handler(IdentityError, _identity)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(_Bounded)

"""How OAuth 2.0 is spoken: forms alone, each parameter once, and its own words for what is wrong (RFC 6749, 5.2)."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from controller.api import problems
from controller.api.access.refusals import BadRequest
from controller.errors import InvalidArguments

_GRANT_TYPE = ("body", "grant_type")
_UNKNOWN = ("literal_error", "enum")


class OAuthRoute(APIRoute):
    """A route whose body is a form, and which refuses another one as OAuth has it: 400, with a word for programs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, between what is read before it and what may come of it."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            await _read(request)
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise BadRequest(problems.sentence_of(error), error=_word_for(error)) from error
            except InvalidArguments as error:
                raise error if isinstance(error, BadRequest) else BadRequest(str(error)) from error

        return answered


async def _read(request: Request) -> None:
    """Read the form, which whoever asks for it later is given.

    Raises:
        BadRequest: it is none, or says something twice.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != problems.FORM:
        raise BadRequest(f"The body is sent as {problems.FORM}.")
    try:
        form = await request.form()
    except HTTPException as error:
        raise BadRequest(str(error.detail)) from error
    if len(form.multi_items()) != len(form):
        raise BadRequest("Each parameter is given once.")


def _word_for(error: RequestValidationError) -> str:
    first = error.errors()[0]
    is_unknown = tuple(first["loc"]) == _GRANT_TYPE and first["type"] in _UNKNOWN
    return "unsupported_grant_type" if is_unknown else "invalid_request"

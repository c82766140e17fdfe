"""A route that is asked to the letter: nothing that it does not know, and a body that is JSON and nothing else.

A filter that is misspelt would show everything, and a body that is read another way than it was meant
would be stored. Whoever sends one is told.
"""

from collections.abc import Callable, Coroutine, Set
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

JSON = "application/json"
PLAIN = frozenset({"", "identity"})  # content codings of what is sent as it is


class ExactRoute(APIRoute):
    """Refuses what it was not made for, before anything of it is looked at."""

    def get_route_handler(self) -> Handler:
        """The route's own handler, behind a look at the request."""
        handle = super().get_route_handler()
        known, takes_body = _filters(self.dependant), self.body_field is not None

        async def exact(request: Request) -> Response:
            if request.scope["query_string"]:
                check_filters(request, known)
            if takes_body:
                await _check_body(request)
            return await handle(request)

        return exact


def _filters(dependant: Dependant) -> frozenset[str]:
    own = frozenset(each.alias for each in dependant.query_params)
    return own.union(*map(_filters, dependant.dependencies))


def check_filters(request: Request, known: Set[str]) -> None:
    """Make sure that nothing else is asked by.

    Raises:
        RequestValidationError: something is, and would be overlooked.
    """
    odd = sorted(request.query_params.keys() - known)
    if odd:
        said = f"not known here; what is: {', '.join(sorted(known))}" if known else "not known here"
        raise RequestValidationError([{"loc": ("query", odd[0][:100]), "msg": said}])


async def _check_body(request: Request) -> None:
    """Let through what is JSON to the letter: no NaN, no half of a character, no endless depth.

    Python's own reader takes all three, and what it takes could be stored and never shown again.

    Raises:
        HTTPException: it is sent as something else.
        RequestValidationError: it is none.
    """
    body = await request.body()
    if not body:
        return  # where one is needed, that is said by name
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON or request.headers.get("content-encoding", "").strip().lower() not in PLAIN:
        raise HTTPException(415, f"A body is sent as {JSON}, as it is: no other Content-Type or -Encoding.")
    try:
        from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RequestValidationError([{"loc": ("body",), "msg": f"not JSON: {error}"}]) from error

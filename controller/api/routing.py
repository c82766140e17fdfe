"""What every route of this API has in common: where it is, and that its body is JSON to the letter."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json

from controller.api.problems import FORM
from controller.api.shapes.problems import COMMON, refusals

PREFIX = "/api/v1"
TAKING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class JsonRoute(APIRoute):
    """A route whose body, if it has one, is JSON to the letter. Those that only look pay nothing for it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, behind a look at the body."""
        handle = super().get_route_handler()
        if TAKING.isdisjoint(self.methods or ()):
            return handle

        async def exact(request: Request) -> Response:
            await _check(request)
            return await handle(request)

        return exact


async def _check(request: Request) -> None:
    """Let through what is JSON to the letter: no NaN, no half of a character, no endless depth.

    Python's own reader takes all three, and what it takes could be stored and never shown again.

    Raises:
        RequestValidationError: the body is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/") or kind == FORM:
        raise RequestValidationError([{"loc": ("body",), "msg": "is sent as application/json"}])
    if body := await request.body():
        try:
            from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise RequestValidationError([{"loc": ("body",), "msg": f"not JSON: {error}"}]) from error


def router(tag: str, *, below: str = "", kind: type[APIRoute] = JsonRoute) -> APIRouter:
    """A router for routes of one kind, `below` the API's own prefix.

    Its routes are whole: an application takes them as they are. One that includes a router
    builds each route a second time, while the first requests wait.
    """
    return APIRouter(
        prefix=PREFIX + below,
        tags=[tag],
        responses=refusals(*COMMON),
        generate_unique_id_function=_operation,
        route_class=kind,
    )


def _operation(route: APIRoute) -> str:
    """What generated clients call a route: its file and its function."""
    return f"{route.endpoint.__module__.rsplit('.', 1)[-1]}_{route.name}"

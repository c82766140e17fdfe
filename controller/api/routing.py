"""What every route of this API has in common: where it is, and that its body is JSON to the letter."""

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from controller.api import problems
from controller.api.shapes.problems import COMMON, refusals

PREFIX = "/api/v1"


def router(tag: str, *, below: str = "") -> APIRouter:
    """A router for routes of one kind, `below` the API's own prefix.

    Its routes are whole: an application takes them as they are. One that includes a router
    builds each route a second time, while the first requests wait.
    """
    return APIRouter(
        prefix=PREFIX + below,
        tags=[tag],
        dependencies=[Depends(problems.exact_json)],
        responses=refusals(*COMMON),
        generate_unique_id_function=_operation,
    )


def _operation(route: APIRoute) -> str:
    """What generated clients call a route: its file and its function."""
    return f"{route.endpoint.__module__.rsplit('.', 1)[-1]}_{route.name}"

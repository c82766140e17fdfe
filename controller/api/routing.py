"""What every route of this API has in common: where it is, what it is called, and what it may refuse."""

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.convertors import PathConvertor, register_url_convertor

from controller.api.exact import ExactRoute
from controller.api.shapes.problems import COMMON, refusals

PREFIX = "/api/v1"


class _Anything(PathConvertor):
    regex = "(?s:.*)"  # Starlette's own `path` ends at a line break


register_url_convertor("anything", _Anything())


def router(tag: str, *, below: str = "", kind: type[APIRoute] = ExactRoute) -> APIRouter:
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

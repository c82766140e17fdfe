"""The pages under `/docs`, what they are made of, and the document of the MQTT side.

Nobody needs a token for them: they hold no secret, and are read before one has any.
"""

import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from controller.api import docs, routing, shapes
from controller.api.deps import Controller
from controller.api.docs import contract, pages
from controller.api.shapes import Json, Shown
from controller.settings import ControllerSettings
from schemas.document.asyncapi import Broker, document

mimetypes.init()  # it reads files, which the first who asks for a sheet would wait for

router = APIRouter()
described = routing.router("system")


@router.get("/docs", include_in_schema=False)
def api() -> HTMLResponse:
    """The HTTP API."""
    return _page(_api(), pages.CALLING)


@router.get("/docs/async", include_in_schema=False)
def mqtt(controller: Controller) -> HTMLResponse:
    """What travels over MQTT, with this installation's prefix and ports."""
    settings = controller.settings
    return _page(_mqtt(settings.prefix, _broker(settings)), pages.READ_ONLY)


@router.get(f"{routing.PREFIX}/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """This API's own document; writing it takes a while, the first time."""
    return JSONResponse(request.app.openapi())


@described.get("/asyncapi.json")
def asyncapi(controller: Controller) -> Annotated[Json, Shown(shapes.AsyncApi)]:
    """What travels over MQTT, as an AsyncAPI 3.0 document; needs no token, like this API's own document."""
    return document(controller.settings.prefix, _broker(controller.settings))


router.routes.append(Mount(pages.ASSETS, StaticFiles(directory=Path(docs.__path__[0], "assets"))))
router.routes.extend(described.routes)


def _page(text: str, policy: str) -> HTMLResponse:
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(text, headers=headers)


@lru_cache(maxsize=1)
def _api() -> str:
    return pages.api_page()


@lru_cache(maxsize=1)
def _mqtt(prefix: str, broker: Broker) -> str:
    return contract.page(document(prefix, broker))


def _broker(settings: ControllerSettings) -> Broker:
    endpoint = settings.endpoint
    if settings.identities_dir is None:
        return Broker.elsewhere(endpoint.port, tls=endpoint.tls is not None)
    return Broker(port=endpoint.port, tls_port=settings.join_port or None)

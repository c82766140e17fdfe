"""Signing in with an identity provider: off to it, and back."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from controller.api import browsers, pages, routing
from controller.api.access.deviceflow import PAGE
from controller.api.access.elsewhere import Destination, Elsewhere, NoProvider, NotProven, Returning
from controller.api.deps import Caller, Controller, Parts
from controller.api.headers import NOT_KEPT
from controller.api.routes.device_page import BROWSER
from controller.api.routes.oauth import Tokens
from controller.api.shapes.problems import refusals
from controller.services.accounts import devicecodes

router = routing.router("auth", below="/auth/oidc", kind=pages.BrowserRoute)

# whoever comes back arrives from the provider's site, so a strict one would not come along
AWAY = browsers.Cookie("orion-away", strict=False)
CLIENT = "browser"
_PAGE = {"type": "string", "examples": ["<!doctype html>"], "description": "For who lets a program in."}


@router.get("/login", status_code=303, response_class=RedirectResponse, responses=refusals(404, 429, 502))
async def login(
    controller: Controller,
    request: Request,
    caller: Caller,
    destination: Annotated[Destination, Query(alias="next")] = "",
    user_code: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Send a browser to the identity provider. `next`: where it goes on, of a list; without it the answer is tokens."""
    encrypted = controller.settings.is_encrypted
    leaving = await _elsewhere(controller).leave(
        destination,
        devicecodes.typed(user_code),
        browser=AWAY.of(request, encrypted=encrypted),
        address=caller,
    )
    answer = RedirectResponse(leaving.address, 303, headers=NOT_KEPT | {"Referrer-Policy": "no-referrer"})
    AWAY.give(answer, leaving.browser, encrypted=encrypted)
    return answer


@router.get(
    "/callback",
    response_model=Tokens,
    responses=refusals(404, 429, 502) | {200: {"content": {"text/html": {"schema": _PAGE}}}},
    openapi_extra={"responses": {"403": refusals(403)[403]}},
)
async def callback(
    controller: Controller,
    request: Request,
    caller: Caller,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str | None, Query(max_length=4_000)] = None,
    iss: Annotated[str | None, Query(max_length=2_000)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Take a browser back: it is signed in, or shown the program that it is to let in."""
    elsewhere, encrypted = _elsewhere(controller), controller.settings.is_encrypted
    browser = AWAY.of(request, encrypted=encrypted)
    if browser is None:
        raise NotProven
    returning = Returning(state, browser, code, iss, error)
    arrived = await elsewhere.arrive(returning, address=caller)
    if arrived.destination == PAGE:
        kept = browsers.made()
        shown = await controller.device_flow.show(
            arrived.user_code, arrived.username, browser=kept, address=caller
        )
        page = pages.ask(shown)
        BROWSER.give(page, kept, encrypted=encrypted)
        return page
    grant = await controller.doorkeeper.admit(arrived.username, client=CLIENT, address=caller, how="oidc")
    said = Tokens(**asdict(grant)).model_dump(by_alias=True)
    return JSONResponse(said, headers=NOT_KEPT | {"X-Content-Type-Options": "nosniff"})


def _elsewhere(controller: Parts) -> Elsewhere:
    if controller.elsewhere is None:
        raise NoProvider
    return controller.elsewhere

"""The page where a person lets a program in that has no browser: the code, who they are, who asks, yes or no.

Who waits is shown only to somebody who has signed in, and their answer counts once, from the same browser.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from controller.api import browsers, pages
from controller.api.access.deviceflow import PAGE
from controller.api.access.refusals import WRONG, GrantRefused, PasswordOver
from controller.api.access.throttle import TooManyTries
from controller.api.deps import Caller, Controller
from controller.errors import InvalidArguments
from controller.services.accounts import devicecodes, passwords
from controller.services.accounts.devicecodes import Status, UnknownCode
from schemas.ids import USERNAME

router = APIRouter(prefix=PAGE, include_in_schema=False, route_class=pages.PageRoute)

BROWSER = browsers.Cookie("orion-page")
_STRANGE = "Your browser does not send what it was given with this page, or it was too long ago. Type the code again."
_LATE = "Nobody waits for this answer any more. Begin anew where you started the program."

Code = Annotated[str, Field(max_length=40)]
Secret = Annotated[SecretStr, Field(max_length=4 * passwords.LONGEST)]


class Person(BaseModel):
    """Who somebody says that they are, and the code that they have typed."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    user_code: Code
    form: Annotated[str, Field(max_length=100)] = ""
    username: Annotated[str, Field(max_length=100)] = ""  # whatever it is: another one is told the same
    password: Secret = SecretStr("")
    new_password: Secret | None = None


class Decision(BaseModel):
    """Their answer."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    confirmation: Annotated[str, Field(max_length=100)]
    approve: Annotated[str, Field(max_length=10)] = "no"


@router.get("")
async def begin(controller: Controller, user_code: Annotated[str, Query(max_length=40)] = "") -> HTMLResponse:
    """Ask for the code, then for who types it."""
    code = devicecodes.typed(user_code)
    return _sign_in(controller, code) if code else pages.code()


@router.post("")
async def sign_in(
    controller: Controller, request: Request, caller: Caller, person: Annotated[Person, Form()]
) -> HTMLResponse:
    """Make sure who they are, and show them who waits."""
    browser = BROWSER.of(request, encrypted=controller.settings.is_encrypted)
    code = devicecodes.typed(person.user_code)
    if browser is None or not browsers.is_of(person.form, browser):
        return pages.code(_STRANGE, status=403)
    if re.fullmatch(USERNAME, person.username) is None:
        return _sign_in(controller, code, said=WRONG, status=400)
    chosen = None if person.new_password is None else person.new_password.get_secret_value()
    try:
        await controller.doorkeeper.prove(
            person.username,
            person.password.get_secret_value(),
            new_password=chosen,
            address=caller,
            then=lambda _session: None,
        )
        shown = await controller.device_flow.show(code, person.username, browser=browser, address=caller)
    except PasswordOver as error:
        return _sign_in(controller, code, choose=True, said=str(error), status=400)
    except (GrantRefused, InvalidArguments) as error:
        return _sign_in(controller, code, choose=chosen is not None, said=str(error), status=400)
    except TooManyTries as error:
        answer = _sign_in(controller, code, choose=chosen is not None, said=str(error), status=429)
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer
    except UnknownCode as error:
        return pages.code(str(error), status=404)
    return pages.ask(shown)


@router.get("/")
@router.get("/decision")
async def anew() -> RedirectResponse:
    """Lead whoever typed the address of an answer to where one begins."""
    return RedirectResponse(PAGE, 303)


@router.post("/decision")
async def decide(
    controller: Controller, request: Request, decision: Annotated[Decision, Form()]
) -> HTMLResponse:
    """Take their answer."""
    encrypted = controller.settings.is_encrypted
    browser = BROWSER.of(request, encrypted=encrypted)
    if browser is None:
        return pages.code(_STRANGE, status=403)
    row = await controller.device_flow.answer(
        decision.confirmation, browser=browser, approve=decision.approve == "yes"
    )
    if row is None:
        answer = pages.end("Too late", _LATE, status=409)
    elif row.status == Status.APPROVED:
        answer = pages.end("It is let in", f"The program goes on as {row.username}. You can close this page.")
    else:
        answer = pages.end("It is kept out", "The program was told no. You can close this page.")
    BROWSER.take(answer, encrypted=encrypted)
    return answer


def _sign_in(
    controller: Controller, code: str, *, choose: bool = False, said: str = "", status: int = 200
) -> HTMLResponse:
    cookie = browsers.made()
    answer = pages.sign_in(
        devicecodes.spelled(code),
        browsers.form_of(cookie),
        issuer=None if controller.elsewhere is None else controller.elsewhere.name,
        choose=choose,
        said=said,
        status=status,
    )
    BROWSER.give(answer, cookie, encrypted=controller.settings.is_encrypted)
    return answer

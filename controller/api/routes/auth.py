"""Coming in and going: tokens for a name and a password (OAuth 2.0), and who one is."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Form, Request, Response
from pydantic import BaseModel, Field, SecretStr

from controller.api import routing, shapes
from controller.api.access.doorkeeper import GrantRefused
from controller.api.deps import Administering, Asking, Controller, Personally
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import CHOSEN, SAID_ONCE, asked, example
from controller.services import users
from controller.services.accounts import passwords
from schemas.ids import Username

router = routing.router("auth", below="/auth")

_BEARER = "Bearer"
_NOT_KEPT = {"Cache-Control": "no-store"}  # RFC 6749, 5.1


class TokenRequest(BaseModel):
    """A grant of OAuth 2.0: a name and a password, or what renews a sign-in."""

    model_config = asked(
        {"grant_type": "password", "username": "ada", "password": CHOSEN},
        hide_input_in_errors=True,
    )

    grant_type: Literal["password", "refresh_token"]
    username: Username | None = None
    password: Annotated[SecretStr, Field(max_length=4 * passwords.LONGEST)] | None = None
    new_password: Annotated[SecretStr, Field(max_length=4 * passwords.LONGEST)] | None = None
    refresh_token: Annotated[SecretStr, Field(max_length=200)] | None = None
    client_id: Annotated[str, Field(max_length=100)] = ""
    scope: Annotated[str, Field(max_length=1_000)] = ""


class Revocation(BaseModel):
    """A token that is to open nothing any more (RFC 7009)."""

    model_config = asked({"token": SAID_ONCE}, hide_input_in_errors=True)

    token: Annotated[SecretStr, Field(max_length=4_000)]
    token_type_hint: Annotated[str, Field(max_length=100)] = ""
    client_id: Annotated[str, Field(max_length=100)] = ""


class Tokens(BaseModel):
    """What opens the API for a while, and what goes on with it. Both are said here and never again."""

    model_config = example(
        {
            "access_token": SAID_ONCE,
            "token_type": _BEARER,
            "expires_in": 900,
            "refresh_token": SAID_ONCE,
            "username": "ada",
        }
    )

    access_token: str
    kind: Annotated[Literal["Bearer"], Field(serialization_alias="token_type")] = "Bearer"
    expires_in: Annotated[int, Field(description="Seconds")]
    refresh_token: str
    username: str


class First(BaseModel):
    """A password for one sign-in."""

    model_config = example({"username": "admin", "password": SAID_ONCE})

    username: str
    password: str


@router.post("/token", responses=refusals(429))
async def token(
    controller: Controller, request: Request, response: Response, asked: Annotated[TokenRequest, Form()]
) -> Tokens:
    """Sign in, or go on with a sign-in. A password that was for once is given together with `new_password`."""
    response.headers.update(_NOT_KEPT)
    doorkeeper = controller.doorkeeper
    if asked.grant_type == "refresh_token":
        if asked.refresh_token is None:
            raise GrantRefused("refresh_token is missing.", error="invalid_request")
        grant = await doorkeeper.renew(asked.refresh_token.get_secret_value())
        return Tokens(**asdict(grant))
    if asked.username is None or asked.password is None:
        raise GrantRefused("username and password are both needed.", error="invalid_request")
    grant = await doorkeeper.sign_in(
        asked.username,
        asked.password.get_secret_value(),
        new_password=None if asked.new_password is None else asked.new_password.get_secret_value(),
        client=asked.client_id,
        address="" if request.client is None else request.client.host,
    )
    return Tokens(**asdict(grant))


@router.post("/revoke")
async def revoke(
    controller: Controller, asked: Annotated[Revocation, Form()]
) -> Annotated[Json, Shown(shapes.Nothing)]:
    """Sign out: whatever the sign-in of this token has opened is over. Also where there is none."""
    await controller.doorkeeper.sign_out(asked.token.get_secret_value())
    return {}


@router.post("/first", status_code=201, responses=refusals(404, 409))
async def first(
    controller: Controller, _actor: Administering, _person: Personally, response: Response
) -> First:
    """The first user's password, for one sign-in. It is said here, once in the life of an installation."""
    password = await controller.doorkeeper.first_password()
    response.headers.update(_NOT_KEPT)
    return First(username=users.ADMIN, password=password)


@router.get("/me")
async def me(actor: Asking) -> Annotated[Json, Shown(shapes.Me)]:
    """Who is asking, and what as: their role on all devices, what was granted to them, what their key leaves."""
    granted = [
        {"device_id": each.device_id, "group": each.group, "role": each.role.value} for each in actor.grants
    ]
    key = None
    if actor.key is not None:
        key = {
            "key_id": actor.key.key_id,
            "scopes": sorted(actor.key.scopes),
            "devices": list(actor.key.devices),
        }
    return {"username": actor.user, "role": actor.role.value, "grants": granted, "key": key}

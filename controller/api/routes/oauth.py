"""Tokens by OAuth 2.0: for a name and a password, for what renews a sign-in; and signing out."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Form, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from controller.api import routing, shapes
from controller.api.access.refusals import BadRequest
from controller.api.deps import Caller, Controller
from controller.api.headers import NOT_KEPT
from controller.api.oauth import OAuthRoute
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import CHOSEN, SAID_ONCE, asked, example
from controller.services.accounts import passwords
from schemas.ids import Username

router = routing.router("auth", below="/auth", kind=OAuthRoute)

_BEARER = "Bearer"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class TokenRequest(BaseModel):
    """A grant of OAuth 2.0: a name and a password, or what renews a sign-in. What it does not know is ignored."""

    model_config = asked(
        {"grant_type": "password", "username": "ada", "password": CHOSEN},
        hide_input_in_errors=True,
    ) | ConfigDict(extra="ignore")

    grant_type: Literal["password", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]
    username: Username | None = None
    password: Annotated[SecretStr, Field(max_length=4 * passwords.LONGEST)] | None = None
    new_password: Annotated[SecretStr, Field(max_length=4 * passwords.LONGEST)] | None = None
    refresh_token: Annotated[SecretStr, Field(max_length=200)] | None = None
    device_code: Annotated[SecretStr, Field(max_length=200)] | None = None
    client_id: Annotated[str, Field(max_length=100)] = ""
    scope: Annotated[str, Field(max_length=1_000)] = ""


class DeviceRequest(BaseModel):
    """A program without a browser that begins to wait (RFC 8628, 3.1). `client_id`: what people are told that it is."""

    model_config = asked({"client_id": "a lamp"}, hide_input_in_errors=True) | ConfigDict(extra="ignore")

    client_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[ -~]+$")]
    scope: Annotated[str, Field(max_length=1_000)] = ""


class Codes(BaseModel):
    """What a program shows, and what it keeps to itself (RFC 8628, 3.2)."""

    model_config = example(
        {
            "device_code": SAID_ONCE,
            "user_code": "BCDF-GHJK",
            "verification_uri": "https://orion.example/auth/device",
            "verification_uri_complete": "https://orion.example/auth/device?user_code=BCDF-GHJK",
            "expires_in": 600,
            "interval": 5,
        }
    )

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: Annotated[int, Field(description="Seconds")]
    interval: Annotated[int, Field(description="Seconds between two looks at least")]


class Revocation(BaseModel):
    """A token that is to open nothing any more (RFC 7009)."""

    model_config = asked({"token": SAID_ONCE}, hide_input_in_errors=True) | ConfigDict(extra="ignore")

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


@router.post("/token", responses=refusals(429))
async def token(
    controller: Controller, caller: Caller, response: Response, asked: Annotated[TokenRequest, Form()]
) -> Tokens:
    """Sign in, or go on with a sign-in. A password that was for once is given together with `new_password`.

    A program that waits for a person shows its `device_code`, with the `client_id` that it began with.
    """
    response.headers.update(NOT_KEPT)
    doorkeeper = controller.doorkeeper
    if asked.grant_type == "refresh_token":
        if asked.refresh_token is None:
            raise BadRequest("refresh_token is missing.")
        grant = await doorkeeper.renew(asked.refresh_token.get_secret_value())
        return Tokens(**asdict(grant))
    if asked.grant_type == DEVICE_GRANT:
        if asked.device_code is None:
            raise BadRequest("device_code is missing.")
        shown = asked.device_code.get_secret_value()
        grant = await controller.device_flow.redeem(shown, client=asked.client_id, address=caller)
        return Tokens(**asdict(grant))
    if asked.username is None or asked.password is None:
        raise BadRequest("username and password are both needed.")
    grant = await doorkeeper.sign_in(
        asked.username,
        asked.password.get_secret_value(),
        new_password=None if asked.new_password is None else asked.new_password.get_secret_value(),
        client=asked.client_id,
        address=caller,
    )
    return Tokens(**asdict(grant))


@router.post("/device", responses=refusals(429))
async def device(
    controller: Controller, caller: Caller, response: Response, asked: Annotated[DeviceRequest, Form()]
) -> Codes:
    """Begin to wait for a person, who types the `user_code` at the `verification_uri`."""
    response.headers.update(NOT_KEPT)
    return Codes(**asdict(await controller.device_flow.begin(asked.client_id, caller)))


@router.post("/revoke")
async def revoke(
    controller: Controller, asked: Annotated[Revocation, Form()]
) -> Annotated[Json, Shown(shapes.Nothing)]:
    """Sign out: whatever the sign-in of this token has opened is over. Also where there is none."""
    await controller.doorkeeper.sign_out(asked.token.get_secret_value())
    return {}

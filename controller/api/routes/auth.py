"""Who one is, who else is let in as oneself, and the first user's password."""

from typing import Annotated, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from controller.api import routing, shapes
from controller.api.deps import Administering, Asking, Caller, Controller, Personally
from controller.api.headers import NOT_KEPT
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import MOMENT, SAID_ONCE, asked, example
from controller.services import users
from schemas.wire import format_instant

router = routing.router("auth", below="/auth")


class First(BaseModel):
    """A password for one sign-in."""

    model_config = example({"username": "admin", "password": SAID_ONCE})

    username: str
    password: str


class Answer(BaseModel):
    """Whether a program that shows this code is let in."""

    model_config = asked({"user_code": "BCDF-GHJK", "approve": True})

    user_code: Annotated[str, Field(min_length=1, max_length=40)]
    approve: bool


class Answered(BaseModel):
    """What was answered to which program."""

    model_config = example(
        {"status": "approved", "client": "a lamp", "address": "192.0.2.7", "begun_at": MOMENT}
    )

    status: Literal["approved", "denied"]
    client: str
    address: str
    begun_at: str


@router.post("/first", status_code=201, responses=refusals(404, 409))
async def first(
    controller: Controller, _actor: Administering, _person: Personally, response: Response
) -> First:
    """The first user's password, for one sign-in. It is said here, once in the life of an installation."""
    password = await controller.doorkeeper.first_password()
    response.headers.update(NOT_KEPT)
    return First(username=users.ADMIN, password=password)


@router.post("/device/approve", responses=refusals(404, 409, 429))
async def approve(
    controller: Controller, actor: Personally, caller: Caller, answer: Answer
) -> Annotated[Json, Shown(Answered)]:
    """Let a program that waits with this code in as oneself, or do not. The first answer counts."""
    row = await controller.device_flow.decide(
        answer.user_code, approve=answer.approve, actor=actor, address=caller
    )
    begun_at = format_instant(row.begun_at)
    return {"status": row.status, "client": row.client, "address": row.address, "begun_at": begun_at}


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

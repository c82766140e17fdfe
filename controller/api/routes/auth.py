"""Who one is, and the first user's password."""

from typing import Annotated

from fastapi import Response
from pydantic import BaseModel

from controller.api import problems, routing, shapes
from controller.api.deps import Administering, Asking, Controller, Personally
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import SAID_ONCE, example
from controller.services import users

router = routing.router("auth", below="/auth")


class First(BaseModel):
    """A password for one sign-in."""

    model_config = example({"username": "admin", "password": SAID_ONCE})

    username: str
    password: str


@router.post("/first", status_code=201, responses=refusals(404, 409))
async def first(
    controller: Controller, _actor: Administering, _person: Personally, response: Response
) -> First:
    """The first user's password, for one sign-in. It is said here, once in the life of an installation."""
    password = await controller.doorkeeper.first_password()
    response.headers.update(problems.NOT_KEPT)
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

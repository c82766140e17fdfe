"""Roles on single devices and groups, beside the one that a user has on all."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, Field

from controller.api import routing, shapes, views
from controller.api.deps import Administering, Controller, Entrusting
from controller.api.routes.users import UsernamePath
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.services import users
from controller.services.accounts import grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.store.store import Session
from controller.store.tables import GrantRow

router = routing.router("users", below="/users/{username}/grants")

Kind = Annotated[Literal["device", "group"], Path()]
Name = Annotated[str, Path(min_length=1, max_length=100, description="A device id, or the name of a group.")]


class NewGrant(BaseModel):
    """What somebody may reach there."""

    model_config = asked({"role": "operator"})

    role: Annotated[Role, Field(examples=["operator"])]


@router.put("/{kind}/{name:anything}", responses=refusals(404, 409))
async def give(
    controller: Controller,
    actor: Entrusting,
    username: UsernamePath,
    kind: Kind,
    name: Name,
    wanted: NewGrant,
) -> Annotated[Json, Shown(shapes.GrantGiven)]:
    """Let somebody reach a device, or those of a group, as a viewer or an operator of it."""

    def work(session: Session) -> GrantRow:
        users.removable(session, username)
        place, now = _place(kind, name), datetime.now(UTC)
        return grants.give(session, username, place, wanted.role, actor=actor, now=now)

    return views.grant(await controller.store.write(work)) | {"username": username}


@router.delete("/{kind}/{name:anything}", status_code=204, responses=refusals(404))
async def take(
    controller: Controller, actor: Administering, username: UsernamePath, kind: Kind, name: Name
) -> None:
    """Take that back; the role that they have on all devices stays."""

    def work(session: Session) -> None:
        users.get(session, username)
        grants.take(session, username, _place(kind, name), actor=actor, now=datetime.now(UTC))

    await controller.store.write(work)


def _place(kind: str, name: str) -> Place:
    return Place(device_id=name) if kind == "device" else Place(group=name)

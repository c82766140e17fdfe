"""Roles on single devices and groups, beside the one that a user has on all."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from controller.api import routing, views
from controller.api.deps import Administering, Controller
from controller.api.routes.users import UsernamePath
from controller.services import users
from controller.services.accounts import grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.store.store import Session
from controller.store.tables import GrantRow

router = routing.router("users", below="/users/{username}/grants")

Kind = Annotated[Literal["device", "group"], Path()]
Name = Annotated[str, Path(min_length=1, max_length=100, description="A device id, or the name of a group.")]


class Granted(BaseModel):
    """What somebody may reach there."""

    model_config = ConfigDict(extra="forbid")

    role: Annotated[Role, Field(examples=["operator"])]


@router.put("/{kind}/{name:path}")
async def give(
    controller: Controller,
    actor: Administering,
    username: UsernamePath,
    kind: Kind,
    name: Name,
    wanted: Granted,
) -> dict[str, Any]:
    """Let somebody reach a device, or those of a group, as a viewer or an operator of it."""

    def work(session: Session) -> GrantRow:
        users.removable(session, username)
        place, now = _place(kind, name), datetime.now(UTC)
        return grants.give(session, username, place, wanted.role, actor=actor, now=now)

    return views.grant(await controller.store.write(work)) | {"username": username}


@router.delete("/{kind}/{name:path}", status_code=204)
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

"""Who users are at an identity provider: looked at, said and taken back by an administrator."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, Field

from controller.api import routing, shapes, views
from controller.api.access.elsewhere import NoProvider
from controller.api.deps import Administering, Controller, Entrusting, Parts
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.services import identities, users
from controller.store.store import Session
from controller.store.tables import Identity
from schemas.ids import Username

router = routing.router("users", below="/users/{username}/identities")

UsernamePath = Annotated[Username, Path()]
Issuer = Annotated[str, Field(max_length=500, pattern=r"^https?://[!-~]+$")]
Subject = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Person(BaseModel):
    """Somebody at a provider. `issuer`: the one that is set here, if not said."""

    model_config = asked({"subject": "248289761001"})

    subject: Subject
    issuer: Issuer | None = None


@router.get("", responses=refusals(404))
async def listed(
    controller: Controller, _actor: Administering, username: UsernamePath
) -> Annotated[Json, Shown(shapes.LinkedOnes)]:
    """Who somebody is at which provider."""

    def read(session: Session) -> list[Identity]:
        users.get(session, username)
        return identities.listed(session, username)

    rows = await controller.store.read(read)
    return {"items": [views.identity(row) for row in rows]}


@router.post("", status_code=201, responses=refusals(404, 409))
async def link(
    controller: Controller,
    actor: Entrusting,
    username: UsernamePath,
    wanted: Person,
) -> Annotated[Json, Shown(shapes.Linked)]:
    """Let somebody sign in as who they are at a provider."""
    issuer, now = _issuer(controller, wanted.issuer), datetime.now(UTC)
    row = await controller.store.write(
        lambda session: identities.link(session, username, issuer, wanted.subject, actor=actor, now=now)
    )
    return views.identity(row)


@router.delete("", status_code=204, responses=refusals(404))
async def unlink(
    controller: Controller,
    actor: Entrusting,
    username: UsernamePath,
    subject: Annotated[Subject, Query()],
    issuer: Annotated[Issuer | None, Query()] = None,
) -> None:
    """Let them sign in so no more; what they have open is over."""
    where, now = _issuer(controller, issuer), datetime.now(UTC)
    take = partial(identities.unlink, username=username, issuer=where, subject=subject, actor=actor, now=now)
    await controller.store.write(take)


def _issuer(controller: Parts, named: str | None) -> str:
    if named is not None:
        return named
    if controller.settings.oidc is None:
        raise NoProvider
    return controller.settings.oidc.issuer

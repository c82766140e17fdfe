"""API keys: for programs that come in without a person, and for less than all that their user may."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import Path, Response
from pydantic import BaseModel, Field

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller, Personally
from controller.api.paging import AnyLimit, Cursor, Pages
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import located, refusals
from controller.api.shapes.shown import asked
from controller.errors import Refused, UnknownKey
from controller.services import users
from controller.services.accounts import apikeys
from controller.services.accounts.apikeys import NewKey
from controller.services.actors import Actor, Role
from controller.store.store import Session
from controller.store.tables import ApiKey
from schemas.ids import Username

router = routing.router("keys", below="/keys")

DAY = 86_400.0  # seconds
KeyId = Annotated[str, Path(max_length=64)]
Text = Annotated[str, Field(min_length=1, max_length=64)]


class KeyWanted(BaseModel):
    """A key to be made. `username`: whose program it is, the caller's own if not said; null time: no end."""

    model_config = asked({"name": "backups", "scopes": ["commands:write"], "devices": ["workshop-*"]})

    name: Text
    scopes: Annotated[list[Text], Field(min_length=1, max_length=2 * len(apikeys.NOUNS))]
    devices: Annotated[list[Text], Field(max_length=100)] = []
    expires_in_s: Annotated[float, Field(ge=60, le=apikeys.LONGEST.total_seconds(), strict=True)] | None = (
        90 * DAY
    )
    username: Username | None = None


@router.get("")
async def listed(
    controller: Controller, actor: Asking, pages: Pages, limit: AnyLimit = None, cursor: Cursor = None
) -> Annotated[Json, Shown(shapes.ApiKeys)]:
    """One's own keys, the newest first, all without `limit`; an admin sees everybody's."""
    whose, now = None if actor.role is Role.ADMIN else actor.user, datetime.now(UTC)
    look = partial(apikeys.listed, username=whose, limit=limit, cursor=cursor)
    return pages.shown(await controller.store.ask(look), partial(views.api_key, now=now))


@router.post("", status_code=201, responses=refusals(404, 409) | located(201))
async def create(
    controller: Controller, actor: Personally, wanted: KeyWanted, response: Response
) -> Annotated[Json, Shown(shapes.ApiKeyMade)]:
    """Make a key. It is said here and never again."""
    username = wanted.username or actor.user
    if username != actor.user and actor.role is not Role.ADMIN:
        raise Refused("Somebody else's key is an administrator's to make.")
    lasts = None if wanted.expires_in_s is None else timedelta(seconds=wanted.expires_in_s)
    new = NewKey(wanted.name, wanted.scopes, wanted.devices, lasts)

    def work(session: Session) -> tuple[ApiKey, str]:
        if users.speaking(users.get(session, username)) is None:
            raise Refused(f"{username} speaks at the broker alone: orion users rotate {username}")
        return apikeys.create(session, username, new, actor=actor, now=datetime.now(UTC))

    row, key = await controller.store.write(work)
    response.headers["Location"] = f"{routing.PREFIX}/keys/{row.id}"
    response.headers["Cache-Control"] = "no-store"
    return views.api_key(row, now=row.created_at) | {"key": key}


@router.get("/{key_id}", responses=refusals(404))
async def one(controller: Controller, actor: Asking, key_id: KeyId) -> Annotated[Json, Shown(shapes.ApiKey)]:
    """One key, without what opens anything."""
    row = await controller.store.ask(partial(_theirs, key_id=key_id, actor=actor))
    return views.api_key(row, now=datetime.now(UTC))


@router.delete("/{key_id}", status_code=204, responses=refusals(404))
async def revoke(controller: Controller, actor: Personally, key_id: KeyId) -> None:
    """Have a key open nothing any more; what was ordered with it and has not left is denied."""

    def work(session: Session) -> None:
        _theirs(session, key_id=key_id, actor=actor)
        apikeys.revoke(session, key_id, actor=actor, now=datetime.now(UTC))

    await controller.store.write(work)


def _theirs(session: Session, *, key_id: str, actor: Actor) -> ApiKey:
    row = apikeys.get(session, key_id)
    if row.username != actor.user and actor.role is not Role.ADMIN:
        raise UnknownKey(key_id)
    return row

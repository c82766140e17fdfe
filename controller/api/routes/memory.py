"""What is remembered: keep, look, search, forget."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, Field, JsonValue

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller
from controller.api.paging import Cursor, Pages
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.services import memories
from controller.services.actors import Actor
from controller.services.memories import NewMemory, Place, Scope

router = routing.router("memory", below="/memory")

MAX_LIFE = 10 * 365 * 24 * 3600.0  # seconds

Key = Annotated[str, Path(max_length=memories.MAX_KEY)]
Owner = Annotated[str | None, Query(max_length=64)]
Limit = Annotated[int, Query(ge=1, le=memories.MAX_ROWS)]


class Remembered(BaseModel):
    """Something to be remembered under the key in the path. Without an owner it is the caller's own."""

    model_config = asked({"value": "Friday", "tags": ["backup"]})

    value: JsonValue
    scope: Scope = Scope.USER
    owner: Annotated[str, Field(max_length=64)] | None = None
    category: str | None = None
    tags: list[str] = []
    expires_in_s: Annotated[float, Field(gt=0, le=MAX_LIFE, strict=True)] | None = None


@router.get("", responses=refusals(404))
async def listed(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    scope: Scope | None = None,
    owner: Owner = None,
    category: Annotated[str | None, Query(max_length=64)] = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Annotated[Json, Shown(shapes.Memories)]:
    """What the caller may see, the latest first; `q`: what holds all of these words."""
    place = None if scope is None else _place(scope, owner, actor)
    how: dict[str, Any] = {"actor": actor, "now": datetime.now(UTC), "place": place}
    how |= {"limit": limit, "cursor": cursor}
    if q is not None:
        wanted = partial(memories.search, text=q, **how)
    else:
        wanted = partial(memories.listed, category=category, **how)
    return pages.shown(await controller.store.read(wanted), views.memory)


@router.get("/{key:anything}", responses=refusals(404))
async def one(
    controller: Controller, actor: Asking, key: Key, scope: Scope = Scope.USER, owner: Owner = None
) -> Annotated[Json, Shown(shapes.Memory)]:
    """What one key holds."""
    place = _place(scope, owner, actor)
    row = await controller.store.read(
        lambda session: memories.get(session, key, place, actor=actor, now=datetime.now(UTC))
    )
    return views.memory(row)


@router.put("/{key:anything}", responses=refusals(404, 409))
async def put(
    controller: Controller, actor: Asking, key: Key, wanted: Remembered
) -> Annotated[Json, Shown(shapes.Memory)]:
    """Remember it, in the place of what the key held."""
    now = datetime.now(UTC)
    new = NewMemory(
        key=key,
        value=wanted.value,
        place=_place(wanted.scope, wanted.owner, actor),
        category=wanted.category,
        tags=tuple(wanted.tags),
        expires_at=None if wanted.expires_in_s is None else now + timedelta(seconds=wanted.expires_in_s),
    )
    row = await controller.store.write(lambda session: memories.remember(session, new, actor=actor, now=now))
    return views.memory(row)


@router.delete("/{key:anything}", status_code=204, responses=refusals(404))
async def forget(
    controller: Controller, actor: Asking, key: Key, scope: Scope = Scope.USER, owner: Owner = None
) -> None:
    """Forget what the key holds."""
    place = _place(scope, owner, actor)
    await controller.store.write(
        lambda session: memories.forget(session, key, place, actor=actor, now=datetime.now(UTC))
    )


def _place(scope: Scope, owner: str | None, actor: Actor) -> Place:
    if scope is Scope.USER and owner is None:
        return memories.own(actor)
    return Place(scope, owner or "")

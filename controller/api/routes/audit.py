"""The audit: who did what, and the signed ends of its chains."""

from functools import partial
from typing import Annotated

from fastapi import Query

from controller.api import routing, shapes, views
from controller.api.deps import Administering, Controller
from controller.api.paging import Cursor, Pages
from controller.api.shapes import Json, Shown
from controller.services import audit
from schemas.ids import DeviceId

router = routing.router("audit", below="/audit")

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("")
async def listed(
    controller: Controller,
    _actor: Administering,
    pages: Pages,
    limit: Limit = 100,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
    action: Annotated[str, Query(max_length=64)] | None = None,
) -> Annotated[Json, Shown(shapes.Audit)]:
    """Who did what, newest first; `action`: how their actions begin."""
    wanted = partial(audit.entries, limit=limit, cursor=cursor, device_id=device_id, action=action)
    return pages.shown(await controller.store.read(wanted), views.audit)


@router.post("/heads", status_code=201)
async def heads_signed(controller: Controller, _actor: Administering) -> Annotated[Json, Shown(shapes.Heads)]:
    """Sign the end of every chain as it is now; what is signed is kept beside the database too."""
    return {"items": [head.model_dump(mode="json") for head in await controller.notary.sign()]}

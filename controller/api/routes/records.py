"""What is on record: the audit and the events."""

from functools import partial
from typing import Annotated, Any

from fastapi import Query

from controller.api import routing, views
from controller.api.deps import Administering, Asking, Controller, Cursor
from controller.services import audit, events
from schemas.events import Severity
from schemas.ids import DeviceId

router = routing.router("records")

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/audit")
async def audit_listed(
    controller: Controller,
    _actor: Administering,
    limit: Limit = 100,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
    action: Annotated[str, Query(max_length=64)] | None = None,
) -> dict[str, Any]:
    """Who did what, newest first; `action`: how their actions begin."""
    wanted = partial(audit.entries, limit=limit, cursor=cursor, device_id=device_id, action=action)
    return views.page(await controller.store.read(wanted), views.audit)


@router.post("/audit/heads", status_code=201)
async def heads_signed(controller: Controller, _actor: Administering) -> dict[str, Any]:
    """Sign the end of every chain as it is now; what is signed is kept beside the database too."""
    return {"items": [head.model_dump(mode="json") for head in await controller.notary.sign()]}


@router.get("/events")
async def events_listed(
    controller: Controller,
    _actor: Asking,
    limit: Limit = 100,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
    event_type: Annotated[str | None, Query(alias="type", max_length=64)] = None,
    severity: Severity | None = None,
    *,
    unresolved: bool = False,
) -> dict[str, Any]:
    """What devices noticed, newest first; `unresolved`: only what is not over."""
    wanted = partial(
        events.recent,
        limit=limit,
        cursor=cursor,
        device_id=device_id,
        event_type=event_type,
        severity=severity,
        unresolved=unresolved,
    )
    return views.page(await controller.store.read(wanted), views.event)

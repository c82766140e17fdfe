"""What devices noticed."""

from typing import Annotated

from fastapi import Query

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller, Cursor
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.services import events
from controller.services.pages import Page
from controller.services.sight import Sight
from controller.store.store import Session
from controller.store.tables import EventRow
from schemas.events import Severity
from schemas.ids import DeviceId

router = routing.router("events", below="/events")

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("", responses=refusals(404))
async def listed(
    controller: Controller,
    actor: Asking,
    limit: Limit = 100,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
    event_type: Annotated[str | None, Query(alias="type", max_length=64)] = None,
    severity: Severity | None = None,
    *,
    unresolved: bool = False,
) -> Annotated[Json, Shown(shapes.Events)]:
    """What devices noticed, newest first; `unresolved`: only what is not over."""

    def look(session: Session) -> Page[EventRow]:
        return events.recent(
            session,
            limit=limit,
            cursor=cursor,
            device_id=device_id,
            event_type=event_type,
            severity=severity,
            unresolved=unresolved,
            sight=Sight(session, actor),
        )

    return views.page(await controller.store.read(look), views.event)

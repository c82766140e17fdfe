"""What devices noticed."""

from typing import Annotated, Any

from fastapi import Query

from controller.api import routing, views
from controller.api.deps import Asking, Controller
from controller.api.paging import Cursor, Pages
from controller.services import events
from controller.services.pages import Page
from controller.services.sight import Sight
from controller.store.store import Session
from controller.store.tables import EventRow
from schemas.events import Severity
from schemas.ids import DeviceId

router = routing.router("events", below="/events")

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("")
async def listed(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    limit: Limit = 100,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
    event_type: Annotated[str | None, Query(alias="type", max_length=64)] = None,
    severity: Severity | None = None,
    *,
    unresolved: bool = False,
) -> dict[str, Any]:
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

    return pages.shown(await controller.store.read(look), views.event)

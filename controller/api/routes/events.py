"""What devices noticed, and what people make of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import Path, Query
from pydantic import BaseModel, Field

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller, Parts
from controller.api.paging import Cursor, Pages
from controller.api.routes.devices import DeviceIdPath
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import ID, asked
from controller.services import attention, events
from controller.services.actors import Actor
from controller.services.attention import EventName
from controller.services.pages import Page
from controller.services.sight import Sight
from controller.store.store import Session
from controller.store.tables import EventRow
from schemas.events import Severity
from schemas.ids import DeviceId, MessageId

router = routing.router("events", below="/events")

Limit = Annotated[int, Query(ge=1, le=1000)]
EventId = Annotated[MessageId, Path()]


class OneEvent(BaseModel):
    """An event by its device and its id."""

    model_config = asked({"device_id": "workshop-pc", "event_id": ID.format(4)})

    device_id: DeviceId
    event_id: MessageId


class SomeEvents(BaseModel):
    """Events that somebody looked at together."""

    model_config = asked({"events": [{"device_id": "workshop-pc", "event_id": ID.format(4)}]})

    events: Annotated[list[OneEvent], Field(min_length=1, max_length=attention.MOST)]

    def names(self) -> list[EventName]:
        """As the services know them."""
        return [EventName(each.device_id, each.event_id) for each in self.events]


@router.get("", responses=refusals(404))
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
    acknowledged: bool | None = None,
) -> Annotated[Json, Shown(shapes.Events)]:
    """What devices noticed, newest first.

    `unresolved`: only what is not over; `acknowledged`: what somebody took note of, or with false nobody.
    """

    def look(session: Session) -> Page[EventRow]:
        return events.recent(
            session,
            limit=limit,
            cursor=cursor,
            device_id=device_id,
            event_type=event_type,
            severity=severity,
            unresolved=unresolved,
            acknowledged=acknowledged,
            sight=Sight(session, actor),
        )

    return pages.shown(await controller.store.read(look), views.event)


@router.post("/acknowledge", responses=refusals(404))
async def acknowledge_some(
    controller: Controller, actor: Asking, wanted: SomeEvents
) -> Annotated[Json, Shown(shapes.EventsMarked)]:
    """Take note of events; of all of them, or of none."""
    return {"items": await _marked(controller, actor, attention.acknowledge, wanted.names())}


@router.post("/resolve", responses=refusals(404))
async def resolve_some(
    controller: Controller, actor: Asking, wanted: SomeEvents
) -> Annotated[Json, Shown(shapes.EventsMarked)]:
    """Say that events are over; all of them, or none."""
    return {"items": await _marked(controller, actor, attention.resolve, wanted.names())}


@router.post("/{device_id}/{event_id:anything}/acknowledge", responses=refusals(404))
async def acknowledge(
    controller: Controller, actor: Asking, device_id: DeviceIdPath, event_id: EventId
) -> Annotated[Json, Shown(shapes.Event)]:
    """Take note of an event. Who did so first stays."""
    names = [EventName(device_id, event_id)]
    return (await _marked(controller, actor, attention.acknowledge, names))[0]


@router.post("/{device_id}/{event_id:anything}/resolve", responses=refusals(404))
async def resolve(
    controller: Controller, actor: Asking, device_id: DeviceIdPath, event_id: EventId
) -> Annotated[Json, Shown(shapes.Event)]:
    """Say that an event is over. Who did so first stays, the device itself too."""
    return (await _marked(controller, actor, attention.resolve, [EventName(device_id, event_id)]))[0]


class _Mark(Protocol):
    def __call__(
        self, session: Session, names: Sequence[EventName], *, actor: Actor, now: datetime
    ) -> list[EventRow]: ...


async def _marked(controller: Parts, actor: Actor, mark: _Mark, names: Sequence[EventName]) -> list[Json]:
    rows = await controller.store.write(
        lambda session: mark(session, names, actor=actor, now=datetime.now(UTC))
    )
    return [views.event(row) for row in rows]

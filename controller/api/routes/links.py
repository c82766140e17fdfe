"""What hangs on what: say it, take it back, and ask what stops when a device does."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path

from controller.api import routing, shapes, views
from controller.api.deps import Administering, Asking, Controller
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.services import links
from controller.services.links import Kind
from controller.services.sight import Sight
from controller.store.store import Session
from schemas.ids import DeviceId

router = routing.router("devices", below="/devices/{device_id}")

Id = Annotated[DeviceId, Path()]
Other = Annotated[DeviceId, Path(description="What it hangs on.")]


@router.put("/links/{kind}/{other_id}", responses=refusals(404, 409))
async def link(
    controller: Controller, actor: Administering, device_id: Id, kind: Kind, other_id: Other
) -> Annotated[Json, Shown(shapes.LinksOf)]:
    """Say that a device depends on another one, or is a part of it; once more changes nothing."""

    def work(session: Session) -> dict[str, Any]:
        links.link(session, device_id, kind, other_id, actor=actor, now=datetime.now(UTC))
        session.flush()
        return {"device_id": device_id} | views.links(links.of(session, device_id))

    return await controller.store.write(work)


@router.delete("/links/{kind}/{other_id}", status_code=204, responses=refusals(404))
async def unlink(
    controller: Controller, actor: Administering, device_id: Id, kind: Kind, other_id: Other
) -> None:
    """Take that back."""
    await controller.store.write(
        lambda session: links.unlink(session, device_id, kind, other_id, actor=actor, now=datetime.now(UTC))
    )


@router.get("/impact", responses=refusals(404))
async def impact(
    controller: Controller, actor: Asking, device_id: Id
) -> Annotated[Json, Shown(shapes.Impact)]:
    """What stops working when the device does, the nearest first; each with what it hangs on itself."""
    found = await controller.store.read(
        lambda session: links.impact(session, device_id, sight=Sight(session, actor))
    )
    return {"device_id": device_id, "items": [views.affected(each) for each in found]}

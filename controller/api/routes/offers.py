"""What there is on the devices that somebody sees: their groups, and the tools they offer."""

from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import Response

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller
from controller.api.preconditions import Seen, tag, unchanged
from controller.api.routes.devices import DeviceIdPath
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import UNCHANGED, refusals, versioned
from controller.services import devices, offers, revisions

router = routing.router("devices")


@router.get("/groups")
async def groups(controller: Controller, actor: Asking) -> Annotated[Json, Shown(shapes.Groups)]:
    """The groups, by name, each with how many devices of it somebody sees."""
    found = await controller.store.ask(partial(offers.groups, actor=actor))
    return {"items": [{"name": name, "devices": count} for name, count in found.items()]}


@router.get("/tools", tags=["tools"])
async def tools(controller: Controller, actor: Asking) -> Annotated[Json, Shown(shapes.Tools)]:
    """The tools by name, each as the riskiest device has it, on how many devices, and adopted on how many."""
    found = await controller.store.read(partial(offers.tools, actor=actor))
    return {"items": [asdict(each) | {"risk": each.risk.value} for each in found]}


@router.get(
    "/devices/{device_id}/tools",
    tags=["tools"],
    response_model=Annotated[Json, Shown(shapes.ToolsOf)],
    responses=refusals(404) | versioned() | UNCHANGED,
)
async def of_device(
    controller: Controller, _actor: Asking, device_id: DeviceIdPath, seen: Seen, response: Response
) -> Json | Response:
    """What one device offers, with the parameters of each tool as a JSON schema."""
    row = await controller.store.ask(lambda session: devices.get(session, device_id))
    version = revisions.of_tools(row)
    if version in seen:
        return unchanged(version)
    tag(response, version)
    return {"device_id": device_id, "items": views.tools(row)}

"""What there is on the devices that somebody sees: their groups, and the tools they offer."""

from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import Response

from controller.api import routing, views
from controller.api.deps import Asking, Controller
from controller.api.preconditions import Seen, tag, unchanged
from controller.api.routes.devices import DeviceIdPath
from controller.services import devices, offers, revisions

router = routing.router("devices")


@router.get("/groups")
async def groups(controller: Controller, actor: Asking) -> dict[str, Any]:
    """The groups, by name, each with how many devices of it somebody sees."""
    found = await controller.store.ask(partial(offers.groups, actor=actor))
    return {"items": [{"name": name, "devices": count} for name, count in found.items()]}


@router.get("/tools", tags=["tools"])
async def tools(controller: Controller, actor: Asking) -> dict[str, Any]:
    """The tools by name, each as the riskiest device has it, on how many devices, and adopted on how many."""
    found = await controller.store.read(partial(offers.tools, actor=actor))
    return {"items": [asdict(each) | {"risk": each.risk.value} for each in found]}


@router.get("/devices/{device_id}/tools", tags=["tools"], response_model=None)
async def of_device(
    controller: Controller, _actor: Asking, device_id: DeviceIdPath, seen: Seen, response: Response
) -> dict[str, Any] | Response:
    """What one device offers, with the parameters of each tool as a JSON schema."""
    row = await controller.store.ask(lambda session: devices.get(session, device_id))
    version = revisions.of_tools(row)
    if version in seen:
        return unchanged(version)
    tag(response, version)
    return {"device_id": device_id, "items": views.tools(row)}

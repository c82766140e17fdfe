"""What is allowed on a device, as a thing of its own: read, and replaced as a whole by who has seen it."""

from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, Field

from controller.api import routing, shapes, views
from controller.api.deps import Administering, Asking, Controller
from controller.api.preconditions import Matching, Seen, tag, unchanged
from controller.api.routes.devices import DeviceIdPath, Texts, frozen, narrowed
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import UNCHANGED, refusals, versioned
from controller.api.shapes.shown import asked
from controller.services import devices, revisions
from controller.services.policy import PolicyProfile
from controller.store.store import Session
from controller.store.tables import Device
from schemas.ids import ToolName

router = routing.router("devices", below="/devices/{device_id}/policy")


class NewPolicy(BaseModel):
    """All that an owner says is allowed; a list that is null does not narrow, an empty one allows nothing."""

    model_config = asked(
        {"policy": "assist", "allowed_tools": None, "allowed_paths": ["/srv/files"], "allowed_apps": []}
    )

    policy: PolicyProfile
    allowed_tools: Annotated[list[ToolName], Field(max_length=200)] | None
    allowed_paths: Texts | None
    allowed_apps: Texts | None

    def as_change(self) -> devices.PolicyChange:
        """The same as a change of a place, which leaves its names."""
        lists = {
            "allowed_tools": self.allowed_tools,
            "allowed_paths": self.allowed_paths,
            "allowed_apps": self.allowed_apps,
        }
        return devices.PolicyChange(
            policy=self.policy,
            allowed_tools=frozen(self.allowed_tools),
            allowed_paths=frozen(self.allowed_paths),
            allowed_apps=frozen(self.allowed_apps),
            unlimited=frozenset(name for name, said in lists.items() if said is None),
        )


@router.get(
    "",
    response_model=Annotated[Json, Shown(shapes.Policy)],
    responses=refusals(404) | versioned() | UNCHANGED,
)
async def shown(
    controller: Controller, _actor: Asking, device_id: DeviceIdPath, seen: Seen, response: Response
) -> Json | Response:
    """What is allowed on a device; `effective`: what holds with what the device itself allows."""
    row = await controller.store.ask(lambda session: devices.get(session, device_id))
    version = revisions.of_policy(row)
    if version in seen:
        return unchanged(version)
    tag(response, version)
    return views.policy(row)


@router.put("", responses=refusals(404, 412, 428) | versioned())
async def replaced(
    controller: Controller,
    actor: Administering,
    device_id: DeviceIdPath,
    wanted: NewPolicy,
    match: Matching,
    response: Response,
) -> Annotated[Json, Shown(shapes.Policy)]:
    """Put another policy in the place of the one that was seen."""

    def put(session: Session) -> Device:
        match.check(revisions.of_policy(devices.get(session, device_id)))
        return narrowed(session, device_id, wanted.as_change(), actor=actor)

    row = await controller.store.write(put)
    tag(response, revisions.of_policy(row))
    return views.policy(row)

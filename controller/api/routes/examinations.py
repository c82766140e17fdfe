"""What `orion conform` did to a device, told by it afterwards."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field

from controller.api import routing
from controller.api.deps import Administering, Controller
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.services import examinations
from schemas.ids import DeviceId, MessageId
from schemas.wire import Integer

router = routing.router("devices", below="/devices")

Count = Annotated[Integer, Field(ge=0, le=1000, strict=True)]


class Examined(BaseModel):
    """How an examination went. `events`: what the device told of messages that it refused in it."""

    model_config = asked({"passed": 31, "broken": 0, "not_tried": 2})

    passed: Count
    broken: Count
    not_tried: Count
    events: Annotated[list[MessageId], Field(max_length=100)] = []


@router.post("/{device_id}/examined", status_code=204, responses=refusals(404))
async def examined(
    controller: Controller, actor: Administering, device_id: Annotated[DeviceId, Path()], said: Examined
) -> None:
    """Note in the audit that a device was examined; the events that came of it are over."""
    findings = said.model_dump(exclude={"events"})
    await controller.store.write(
        lambda session: examinations.note(
            session, device_id, findings=findings, caused=said.events, actor=actor, now=datetime.now(UTC)
        )
    )

"""Commands: submit, wait, look, cancel."""

import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from controller.api import views
from controller.api.deps import Asking, Controller
from controller.services import commands
from controller.services.orders import Status
from controller.services.waiting import until_settled
from schemas.ids import DeviceId, ToolName
from schemas.wire import JsonObject

router = APIRouter(prefix="/commands", tags=["commands"])

LONGEST_WAIT = 300.0  # seconds


class NewCommand(BaseModel):
    """What a device should do."""

    model_config = ConfigDict(extra="forbid")

    device_id: DeviceId
    tool: ToolName
    arguments: JsonObject = Field(default_factory=dict)
    dry_run: bool = False
    valid_s: Annotated[float, Field(gt=0, le=3600)] = commands.VALID_FOR
    timeout_s: Annotated[float, Field(gt=0, le=commands.MAX_TIMEOUT)] | None = None


def wanted_wait(prefer: str) -> float:
    """The seconds of `Prefer: wait=10` (RFC 7240); 0 without it."""
    match = re.search(r"\bwait=(\d{1,4})\b", prefer)
    return min(float(match[1]), LONGEST_WAIT) if match else 0.0


@router.post("", status_code=202)
async def submit(
    controller: Controller,
    actor: Asking,
    wanted: NewCommand,
    response: Response,
    prefer: Annotated[str, Header()] = "",
) -> dict[str, Any]:
    """Record a command and decide whether it may leave; a refusal is an outcome, not an error."""
    request = commands.CommandRequest(
        wanted.device_id,
        wanted.tool,
        wanted.arguments,
        dry_run=wanted.dry_run,
        valid_s=wanted.valid_s,
        timeout_s=wanted.timeout_s,
    )
    row = await controller.store.write(
        lambda session: commands.submit(session, request, actor=actor, now=datetime.now(UTC))
    )
    response.headers["Location"] = f"/api/v1/commands/{row.id}"
    if seconds := wanted_wait(prefer):
        row = (await until_settled(controller.store, controller.replies, [row.id], within_s=seconds))[0]
    return views.command(row)


@router.get("")
async def listed(
    controller: Controller,
    _actor: Asking,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    device_id: DeviceId | None = None,
    status: Status | None = None,
) -> dict[str, Any]:
    """Commands, newest first."""
    rows = await controller.store.read(
        partial(commands.listed, limit=limit, device_id=device_id, status=status)
    )
    return {"items": [views.command(row) for row in rows]}


@router.get("/{command_id}")
async def one(
    controller: Controller, _actor: Asking, command_id: str, prefer: Annotated[str, Header()] = ""
) -> dict[str, Any]:
    """One command; with `Prefer: wait=N` after it settled, or after N seconds."""
    row = await controller.store.read(lambda session: commands.get(session, command_id))
    if seconds := wanted_wait(prefer):
        row = (await until_settled(controller.store, controller.replies, [row.id], within_s=seconds))[0]
    return views.command(row)


@router.post("/{command_id}/cancel", status_code=202)
async def cancel(controller: Controller, actor: Asking, command_id: str) -> dict[str, Any]:
    """Stop a command, as far as it still can be."""
    row = await controller.store.write(
        lambda session: commands.cancel(session, command_id, actor=actor, now=datetime.now(UTC))
    )
    return views.command(row)

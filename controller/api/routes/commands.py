"""Commands: submit, wait, look, cancel."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from controller.api import views
from controller.api.deps import Asking, Controller, Parts
from controller.services import commands
from controller.services.orders import Status
from controller.services.waiting import until_settled, watch
from schemas.ids import DeviceId, MessageId, ToolName
from schemas.wire import JsonObject

router = APIRouter(prefix="/commands", tags=["commands"])

LONGEST_WAIT = 300.0  # seconds
MOST = 10_000  # of one list: as many as one group may have
NDJSON = "application/x-ndjson"


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
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    device_id: DeviceId | None = None,
    status: Status | None = None,
    parent_id: MessageId | None = None,
) -> dict[str, Any]:
    """Commands, newest first; with `parent_id` those of one order to a group."""
    rows = await controller.store.read(
        partial(commands.listed, limit=limit, device_id=device_id, status=status, parent_id=parent_id)
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


@router.get("/{command_id}/watch")
async def watched(
    controller: Controller,
    _actor: Asking,
    command_id: str,
    within_s: Annotated[float, Query(gt=0, le=LONGEST_WAIT)] = 60.0,
) -> StreamingResponse:
    """A line now and one per change, until nothing moves any more or the time is up."""
    await controller.store.read(lambda session: commands.get(session, command_id))
    return StreamingResponse(_lines(controller, command_id, within_s), media_type=NDJSON)


async def _lines(controller: Parts, command_id: str, within_s: float) -> AsyncIterator[bytes]:
    async with aclosing(
        watch(controller.store, controller.replies, [command_id], within_s=within_s)
    ) as states:
        async for (row,) in states:
            yield json.dumps(views.command(row)).encode() + b"\n"


@router.post("/{command_id}/cancel", status_code=202)
async def cancel(controller: Controller, actor: Asking, command_id: str) -> dict[str, Any]:
    """Stop a command, as far as it still can be."""
    row = await controller.store.write(
        lambda session: commands.cancel(session, command_id, actor=actor, now=datetime.now(UTC))
    )
    return views.command(row)

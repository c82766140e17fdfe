"""Commands: submit, wait, look, cancel, undo."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal, Self

from fastapi import Header, Query, Response
from pydantic import BaseModel, Field, StrictBool, model_validator

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller, Cursor, Parts
from controller.api.lines import Lines
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import located, refusals
from controller.api.shapes.shown import asked
from controller.services import commands, rollouts, undoing
from controller.services.actors import Actor
from controller.services.conditions import ONLINE, Condition
from controller.services.orders import Status
from controller.services.sight import Sight
from controller.services.waiting import until_settled, watch
from controller.store.store import Session
from controller.store.tables import ToolExecution
from schemas.ids import DeviceId, MessageId, ToolName
from schemas.wire import Integer, JsonObject

router = routing.router("commands", below="/commands")

LONGEST_WAIT = 300.0  # seconds
MOST = 10_000  # of one list: as many as one group may have
FOR_GROUPS = frozenset({"rate_per_s", "max_in_flight", "stop_after"})
Prefer = Annotated[
    str,
    Header(
        description="`wait=10`: answer once the command has ended, or after so many seconds.",
        examples=["wait=10"],
    ),
]
ValidFor = Annotated[float, Field(gt=0, le=commands.VALID_AT_MOST, strict=True)]


class ToolCondition(BaseModel):
    """A look that must answer true right before a command leaves; `field`: what of its answer."""

    model_config = asked({"tool": "path_info", "arguments": {"path": "/srv/files"}, "field": "exists"})

    tool: ToolName
    arguments: JsonObject = Field(default_factory=dict)
    field: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class NewCommand(BaseModel):
    """What a device should do, or every device of a group, at a pace."""

    model_config = asked(
        {"device_id": "workshop-pc", "tool": "create_directory", "arguments": {"path": "/srv/files/Test"}}
    )

    device_id: DeviceId | None = None
    group: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    rate_per_s: Annotated[float, Field(ge=rollouts.SLOWEST, le=rollouts.FASTEST, strict=True)] | None = None
    max_in_flight: Annotated[Integer, Field(ge=1, le=MOST, strict=True)] | None = rollouts.MAX_IN_FLIGHT
    stop_after: Annotated[Integer, Field(ge=1, le=MOST, strict=True)] | None = None
    tool: ToolName
    arguments: JsonObject = Field(default_factory=dict)
    dry_run: StrictBool = False
    valid_s: ValidFor = commands.VALID_FOR
    timeout_s: Annotated[float, Field(gt=0, le=commands.MAX_TIMEOUT, strict=True)] | None = None
    when_online: StrictBool = False
    condition: Literal["online"] | ToolCondition | None = None

    def wanted_condition(self) -> Condition | None:
        """As the services know it."""
        if isinstance(self.condition, ToolCondition):
            return Condition(self.condition.tool, self.condition.arguments, self.condition.field)
        return ONLINE if self.condition == "online" else None

    @model_validator(mode="after")
    def _names_whom(self) -> Self:
        if (self.device_id is None) == (self.group is None):
            raise ValueError("name either a device_id or a group")
        if self.group is None and (odd := sorted(FOR_GROUPS & self.model_fields_set)):
            raise ValueError(f"{', '.join(odd)}: for a group only")
        return self

    @property
    def pace(self) -> rollouts.Pace:
        return rollouts.Pace(self.rate_per_s, self.max_in_flight, self.stop_after)


class NewUndo(BaseModel):
    """How what a command changed should be put back."""

    model_config = asked({"dry_run": True})

    dry_run: StrictBool = False
    valid_s: ValidFor = commands.VALID_FOR


def wanted_wait(prefer: str) -> float:
    """The seconds of `Prefer: wait=10` (RFC 7240); 0 without it."""
    match = re.search(r"\bwait=(\d{1,4})\b", prefer)
    return min(float(match[1]), LONGEST_WAIT) if match else 0.0


@router.post("", status_code=202, responses=refusals(404, 409) | located(202))
async def submit(
    controller: Controller,
    actor: Asking,
    wanted: NewCommand,
    response: Response,
    prefer: Prefer = "",
) -> Annotated[Json, Shown(shapes.Command)]:
    """Record a command and decide whether it may leave; a refusal is an outcome, not an error."""
    request = commands.CommandRequest(
        wanted.device_id or "",
        wanted.tool,
        wanted.arguments,
        dry_run=wanted.dry_run,
        valid_s=wanted.valid_s,
        timeout_s=wanted.timeout_s,
        when_online=wanted.when_online,
        condition=wanted.wanted_condition(),
    )
    now = datetime.now(UTC)
    if wanted.group is None:
        submission = partial(commands.submit, request=request, actor=actor, now=now)
    else:
        order = rollouts.GroupRequest(wanted.group, request, wanted.pace)
        submission = partial(rollouts.submit, request=order, actor=actor, now=now)
    with controller.spans.within("policy"):
        row = await controller.store.write(submission)
    response.headers["Location"] = f"/api/v1/commands/{row.id}"
    if seconds := wanted_wait(prefer):
        row = (await until_settled(controller.store, controller.replies, [row], within_s=seconds))[0]
    return views.command(row)


@router.get("")
async def listed(
    controller: Controller,
    actor: Asking,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
    status: Status | None = None,
    parent_id: MessageId | None = None,
) -> Annotated[Json, Shown(shapes.Commands)]:
    """Commands, newest first; with `parent_id` those of one order to a group.

    Of what somebody else ordered, who may only look sees no arguments and no results: they are null.
    """

    def look(session: Session) -> dict[str, Any]:
        sight = Sight(session, actor)
        rows = commands.listed(
            session,
            limit=limit,
            cursor=cursor,
            device_id=device_id,
            status=status,
            parent_id=parent_id,
            sight=sight,
        )
        return {"items": _shown(session, rows, sight), "next": rows.next}

    return await controller.store.read(look)


@router.get("/{command_id}", responses=refusals(404))
async def one(
    controller: Controller, actor: Asking, command_id: str, prefer: Prefer = ""
) -> Annotated[Json, Shown(shapes.Command)]:
    """One command; with `Prefer: wait=N` after it settled, or after N seconds."""
    row = await controller.store.read(partial(_seen, command_id=command_id, actor=actor))
    if seconds := wanted_wait(prefer):
        row = (await until_settled(controller.store, controller.replies, [row], within_s=seconds))[0]
    return (await controller.store.read(partial(_shown_to, rows=[row], actor=actor)))[0]


@router.get(
    "/{command_id}/watch",
    response_class=Lines,
    responses=refusals(404) | {200: {"model": shapes.Command}},
)
async def watched(
    controller: Controller,
    actor: Asking,
    command_id: str,
    within_s: Annotated[float, Query(gt=0, le=LONGEST_WAIT)] = 60.0,
) -> Lines:
    """A line now and one per change, until nothing moves any more or the time is up."""
    await controller.store.read(partial(_seen, command_id=command_id, actor=actor))
    return Lines(_lines(controller, actor, command_id, within_s))


async def _lines(controller: Parts, actor: Actor, command_id: str, within_s: float) -> AsyncIterator[bytes]:
    async with aclosing(
        watch(controller.store, controller.replies, [command_id], within_s=within_s)
    ) as states:
        async for rows in states:
            (view,) = await controller.store.read(partial(_shown_to, rows=rows, actor=actor))
            yield json.dumps(view).encode() + b"\n"


def _seen(session: Session, *, command_id: str, actor: Actor) -> ToolExecution:
    return commands.get(session, command_id, sight=Sight(session, actor))


def _shown_to(session: Session, *, rows: Sequence[ToolExecution], actor: Actor) -> list[dict[str, Any]]:
    return _shown(session, rows, Sight(session, actor))


def _shown(session: Session, rows: Sequence[ToolExecution], sight: Sight) -> list[dict[str, Any]]:
    """Commands as somebody sees them, with whether each can still be put back."""
    undone = undoing.taken_up(session, rows)
    return [
        views.command(row, undone=row.id in undone, whole=sight.whole(row), said=sight.said(row))
        for row in rows
    ]


@router.post("/{command_id}/cancel", status_code=202, responses=refusals(404, 409))
async def cancel(
    controller: Controller, actor: Asking, command_id: str
) -> Annotated[Json, Shown(shapes.Command)]:
    """Stop a command, as far as it still can be; with one to a group all of its devices' own."""
    row = await controller.store.write(
        lambda session: rollouts.cancel(session, command_id, actor=actor, now=datetime.now(UTC))
    )
    return (await controller.store.read(partial(_shown_to, rows=[row], actor=actor)))[0]


@router.post("/{command_id}/undo", status_code=202, responses=refusals(404, 409) | located(202))
async def undo(
    controller: Controller,
    actor: Asking,
    command_id: str,
    response: Response,
    wanted: NewUndo | None = None,
    prefer: Prefer = "",
) -> Annotated[Json, Shown(shapes.Command)]:
    """Put back what a command changed, by a command of its own."""
    how = wanted or NewUndo()
    work = partial(
        undoing.submit,
        command_id=command_id,
        actor=actor,
        now=datetime.now(UTC),
        dry_run=how.dry_run,
        valid_s=how.valid_s,
    )
    with controller.spans.within("policy"):
        row = await controller.store.write(lambda session: work(session))
    response.headers["Location"] = f"/api/v1/commands/{row.id}"
    if seconds := wanted_wait(prefer):
        row = (await until_settled(controller.store, controller.replies, [row], within_s=seconds))[0]
    return views.command(row)

"""Commands: submit, wait, look, cancel, undo."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller, Parts, parts
from controller.api.direct import DirectRoute
from controller.api.lately import Answer
from controller.api.lines import Lines
from controller.api.paging import Cursor, Pages
from controller.api.preferences import LONGEST_WAIT, PREFER, applied, patience
from controller.api.shapes import Json, Shown
from controller.api.shapes.orders import MOST, NewCommand, NewUndo
from controller.api.shapes.problems import located, refusals
from controller.errors import InvalidArguments
from controller.services import commands, devices, repeats, rollouts, undoing
from controller.services.actors import Actor
from controller.services.orders import Status
from controller.services.repeats import Name
from controller.services.sight import Sight
from controller.services.waiting import until_settled, watch
from controller.store.store import Session
from controller.store.tables import ToolExecution
from schemas.ids import DeviceId, MessageId

router = routing.router("commands", below="/commands")

KEY = r"^[!-~]{1,255}$"  # what may name a request


async def _named(
    request: Request, key: Annotated[str | None, Header(alias="Idempotency-Key", pattern=KEY)] = None
) -> Callable[[BaseModel], Name | None]:
    def of(wanted: BaseModel) -> Name | None:
        if key is None:
            return None
        asked = [request.url.path, wanted.model_dump(mode="json")]
        return Name.of(key, json.dumps(asked, sort_keys=True).encode())

    return of


Named = Annotated[Callable[[BaseModel], Name | None], Depends(_named)]


@router.post("", status_code=202, responses=refusals(404, 409) | located(202), openapi_extra=PREFER)
async def submit(
    controller: Controller,
    actor: Asking,
    asked: Request,
    wanted: NewCommand,
    response: Response,
    named: Named,
) -> Annotated[Json, Shown(shapes.Command)]:
    """Record a command and decide whether it may leave; a refusal is an outcome, not an error.

    The same `Idempotency-Key` with the same body orders it once, however often it comes within a day.
    """
    request = wanted.as_request()
    now = datetime.now(UTC)
    submission: Callable[[Session], ToolExecution]
    if wanted.group is None:
        submission = partial(commands.submit, request=request, actor=actor, now=now)
    else:
        order = rollouts.GroupRequest(wanted.group, request, wanted.pace)
        submission = partial(rollouts.submit, request=order, actor=actor, now=now)
    once = partial(repeats.once, name=named(wanted), order=submission, actor=actor, now=now)
    return await _ordered(controller, response, once, patience(asked))


async def _ordered(
    controller: Parts,
    response: Response,
    once: Callable[[Session], tuple[ToolExecution, bool]],
    patience_s: float,
) -> Json:
    with controller.spans.within("policy"):
        row, is_known = await controller.store.write(once)
    response.headers["Location"] = f"{routing.PREFIX}/commands/{row.id}"
    if is_known:
        response.headers["Idempotency-Replayed"] = "true"
    applied(response, patience_s)
    if patience_s:
        row = (await until_settled(controller.store, controller.replies, [row], within_s=patience_s))[0]
    return views.command(row)


@router.post("/explain")
async def explain(
    controller: Controller, actor: Asking, wanted: NewCommand
) -> Annotated[Json, Shown(shapes.Explained)]:
    """What the gate would say of a command to one device at this moment; nothing is recorded and nothing asked."""
    if wanted.device_id is None:
        raise InvalidArguments("group: one device's answer is explained at a time; name a device_id.")
    request = wanted.as_request()

    def look(session: Session) -> dict[str, Any]:
        device = devices.find(session, request.device_id)
        decision, shown = commands.explain(session, request, device=device, actor=actor)
        return {
            "device_id": request.device_id,
            "tool": request.tool,
            "arguments": shown,
            "decision": decision.verdict.value,
            "risk": decision.risk.value,
            "reasons": decision.reasons,
            "layers": commands.layers(decision),
        }

    return await controller.store.ask(look)


@router.get("", response_model=Annotated[Json, Shown(shapes.Commands)])
async def listed(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
    status: Status | None = None,
    parent_id: MessageId | None = None,
) -> Response:
    """Commands, newest first; with `parent_id` those of one order to a group.

    Of what somebody else ordered, who may only look sees no arguments and no results: they are null.
    """

    def look(session: Session) -> tuple[list[dict[str, Any]], str | None]:
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
        return _shown(session, rows, sight), rows.next

    async def told() -> Answer:
        items, following = await controller.store.read(look)
        return Answer(to_json({"items": items, "next": following}), following)

    key = (limit, cursor, device_id, status, parent_id, actor)
    found = await controller.lately.told(key, told, tables=_read_from(actor))
    return pages.sent(found.body, found.following)


def _read_from(actor: Actor) -> tuple[str, ...]:
    """What commands are shown by; also who sees them, where that hangs on their devices."""
    return ("tool_executions",) if actor.sees_all and not actor.grants else ("tool_executions", "devices")


async def one(asked: Request, actor: Asking, command_id: str) -> Response:
    """One command; with `Prefer: wait=N` after it settled, or after N seconds."""
    controller = await parts(asked)
    if patience_s := patience(asked):
        row = await controller.store.read(partial(_seen, command_id=command_id, actor=actor))
        rows = await until_settled(controller.store, controller.replies, [row], within_s=patience_s)
        (view,) = await controller.store.read(partial(_shown_to, rows=rows, actor=actor))
        answer = Answer(to_json(view)).sent()
        applied(answer, patience_s)
        return answer

    def look(session: Session) -> dict[str, Any]:
        sight = Sight(session, actor)
        row = commands.get(session, command_id, sight=sight)
        return _shown(session, [row], sight)[0]

    async def told() -> Answer:
        return Answer(to_json(await controller.store.read(look)))

    # whoever follows a command asks again and again, from each of their windows
    return (await controller.lately.told((command_id, actor), told, tables=_read_from(actor))).sent()


router.add_api_route(
    "/{command_id}",
    one,
    response_model=Annotated[Json, Shown(shapes.Command)],
    responses=refusals(404),
    openapi_extra=PREFER,
    route_class_override=DirectRoute,
)


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


@router.post(
    "/{command_id}/undo",
    status_code=202,
    responses=refusals(404, 409) | located(202),
    openapi_extra=PREFER,
)
async def undo(
    controller: Controller,
    actor: Asking,
    asked: Request,
    command_id: str,
    response: Response,
    named: Named,
    wanted: NewUndo | None = None,
) -> Annotated[Json, Shown(shapes.Command)]:
    """Put back what a command changed, by a command of its own; once for an `Idempotency-Key`."""
    how, now = wanted or NewUndo(), datetime.now(UTC)

    def submission(session: Session) -> ToolExecution:
        return undoing.submit(
            session, command_id, actor=actor, now=now, dry_run=how.dry_run, valid_s=how.valid_s
        )

    once = partial(repeats.once, name=named(how), order=submission, actor=actor, now=now)
    return await _ordered(controller, response, once, patience(asked))

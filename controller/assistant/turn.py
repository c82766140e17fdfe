"""One turn: what is said to the person as it happens, and the calls that were made for it.

The turn submits through `services` like every other door and waits for replies; what
it reports of a call comes from the call's row, never from a planner or a model.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from pydantic import JsonValue

from controller.assistant import sanitize
from controller.assistant.fleet import Fleet
from controller.assistant.toolbox import Problem
from controller.services import audit, commands, inquiries, waiting
from controller.services.actors import Actor, assisted
from controller.services.commands import CommandRequest, Origin
from controller.services.orders import Status
from controller.services.replies import Replies
from controller.store.store import Store
from controller.store.tables import ToolExecution
from schemas.assistant import Response, ResponseType
from schemas.devices import Risk
from schemas.errors import ErrorBody
from schemas.ids import new_id
from schemas.spans import Spans
from schemas.wire import JsonObject

Emit = Callable[[Response], Awaitable[None]]

SETTLE_WITHIN = 600.0  # seconds that a turn waits for its commands; they go on without it


class Call(Protocol):
    """A planned call, whoever planned it."""

    @property
    def device_id(self) -> str: ...
    @property
    def tool(self) -> str: ...
    @property
    def arguments(self) -> dict[str, JsonValue]: ...


@dataclass(frozen=True, slots=True)
class Ordered:
    """A call for a device as it was planned, before anything was resolved, with what spoke against it."""

    tool: str
    arguments: JsonObject
    doubts: tuple[str, ...] = ()
    secret: bool = False  # it holds what must not be kept


@dataclass(slots=True)
class Turn:
    """The state of one turn."""

    store: Store
    replies: Replies
    actor: Actor
    fleet: Fleet
    request_id: str
    session_id: str
    text: str
    question: bool
    emit_to: Emit
    here: str | None = None
    spans: Spans = field(default_factory=Spans)
    rows: list[ToolExecution] = field(default_factory=list)
    ordered: list[Ordered] = field(default_factory=list)
    plan_id: str = field(default_factory=new_id)  # all that the turn orders is one plan
    _seq: int = 0

    @property
    def said(self) -> int:
        """How much the person was told."""
        return self._seq

    async def emit(self, kind: ResponseType, **fields: Any) -> None:
        """Tell the person one thing, in order."""
        response = Response.model_validate(
            {
                "request_id": self.request_id,
                "session_id": self.session_id,
                "seq": self._seq,
                "type": kind,
                "at": datetime.now(UTC),
                **fields,
            }
        )
        self._seq += 1
        await self.emit_to(response)

    async def run(self, calls: Sequence[Call], doubts: Sequence[Sequence[str]]) -> list[ToolExecution]:
        """Decide all calls, run what may run, and return when nothing moves without a person."""
        requests = [
            CommandRequest(
                call.device_id,
                call.tool,
                call.arguments,
                question=self.question,
                doubts=tuple(doubt),
                session_id=self.session_id,
                user_query=self.text,
            )
            for call, doubt in zip(calls, doubts, strict=True)
        ]
        self.ordered += [self._as_planned(each) for each in requests if each.device_id]
        with self.spans.within("policy"):
            origin = Origin.here(self.plan_id)
            rows = await self.store.write(partial(_submit, requests, self.actor, origin))
        for row in rows:
            await self._tell_call(row)
        ids = [row.id for row in rows]
        reported: set[str] = set()
        async for now_rows in waiting.watch(self.store, self.replies, ids, within_s=SETTLE_WITHIN):
            rows = now_rows
            await self._tell_results(rows, reported)
        self.rows += rows
        return rows

    def _as_planned(self, request: CommandRequest) -> Ordered:
        secret = self.fleet.has_secret(request.device_id, request.tool, request.arguments)
        kept = {} if secret else request.arguments
        return Ordered(request.tool, kept, request.doubts, secret=secret)

    async def note_unusable(self, tool: str, problem: Problem) -> None:
        """Put on record that a call was wanted that could not even be submitted."""
        detail: JsonObject = {"tool": sanitize.exact(tool, 80), "code": problem.code.value}
        await self.store.write(
            lambda session: audit.record(
                session,
                "call.unusable",
                now=datetime.now(UTC),
                actor=assisted(self.actor),
                detail=detail,
            )
        )

    async def _tell_call(self, row: ToolExecution) -> None:
        await self.emit(
            "tool_call",
            command_id=row.id,
            device_id=row.device_id or None,
            tool=row.tool_name,
            arguments=row.parameters,
        )
        if row.status == Status.AWAITING_APPROVAL.value:
            await self.emit(
                "approval_required",
                approval_id=row.approval_id,
                command_id=row.id,
                summary="; ".join(row.reasons),
                risk=Risk(row.risk),
            )

    async def _tell_results(self, rows: Sequence[ToolExecution], reported: set[str]) -> None:
        for row in rows:
            if Status(row.status).is_final and row.id not in reported:
                reported.add(row.id)
                error = ErrorBody.model_validate(row.error, strict=False) if row.error else None
                await self.emit(
                    "tool_result", command_id=row.id, status=row.status, result=row.result, error=error
                )


def _submit(
    requests: Sequence[CommandRequest], actor: Actor, origin: Origin, session: Any
) -> list[ToolExecution]:
    """Submit what devices do as one plan, answer the rest here; the rows in the order of the requests."""
    now = datetime.now(UTC)
    as_assistant = assisted(actor)
    for_devices = [each for each in requests if not inquiries.answers(each.tool, each.device_id)]
    planned = iter(commands.submit_plan(session, for_devices, actor=as_assistant, now=now, origin=origin))
    return [
        inquiries.answer(session, request, actor=as_assistant, now=now, origin=origin)
        if inquiries.answers(request.tool, request.device_id)
        else next(planned)
        for request in requests
    ]

"""One turn of a conversation: a planner proposes, services decide, receipts answer.

The model plans when one answers; else, or first where that is wanted, the offline
planner. Both end in the same place: calls that go through permission like any other.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from controller.assistant import answers, candidates, fleet, intent
from controller.assistant.memory import Exchange, last_order, recall, remember
from controller.assistant.model import ModelPlanner
from controller.assistant.offline import Again, Calls, Declined, Plan, PlannedCall, Planner, Question
from controller.assistant.outcome import AskedBack, CallReport, TurnReport, outcome_of
from controller.assistant.overheard import Overhear, Query, nobody
from controller.assistant.providers.provider import Provider
from controller.assistant.said import Said
from controller.assistant.turn import Emit, Turn
from controller.errors import OrionError, ProviderError
from controller.services import audit
from controller.services.actors import Actor
from controller.services.replies import Replies
from controller.store.store import Store
from schemas import context, traces
from schemas.assistant import MAX_TEXT, Response
from schemas.errors import ErrorBody, ErrorCode
from schemas.ids import new_id
from schemas.spans import Spans

logger = logging.getLogger(__name__)

OFFLINE = "offline"
_FAILED = ErrorBody(code=ErrorCode.INTERNAL, message="Something went wrong here; the log says what.")


class TextTooLong(OrionError):
    """A request is a sentence or a page, not a book."""

    code = ErrorCode.PAYLOAD_TOO_LARGE

    def __init__(self, length: int) -> None:
        super().__init__(f"The text has {length} characters; at most {MAX_TEXT} are read.")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person says. `here`: the device they sit at. `request_id`: of a message that has one."""

    text: str
    session_id: str | None = None
    here: str | None = None
    request_id: str | None = None


class Assistant:
    """Serves turns. It has no rights of its own."""

    def __init__(
        self,
        store: Store,
        replies: Replies,
        planner: Planner,
        provider: Provider,
        *,
        fast_path: bool,
        spans: Spans | None = None,
        overhear: Overhear = nobody,
    ) -> None:
        self._spans = spans or Spans()
        self._store = store
        self._replies = replies
        self._planner = planner
        self._provider = provider
        self._fast_path = fast_path
        self._overhear = overhear
        self._last_trouble: str | None = None  # told once, not with every sentence

    async def trouble(self) -> str | None:
        """Why the model cannot be used now; None when it can."""
        return await self._provider.trouble()

    async def turn(self, ask: Ask, actor: Actor, emit: Emit) -> TurnReport:
        """Do one turn; `emit` is told each step, and last a `final`, `question` or `error`.

        Raises:
            TextTooLong: more than one request may hold.
            UnknownSession: the session named is not this user's.
        """
        if len(ask.text) > MAX_TEXT:
            raise TextTooLong(len(ask.text))
        with (
            context.about(context.trace() or traces.begun(), user=actor.user),
            self._spans.within("turn"),
        ):
            return await self._turn(ask, actor, emit)

    async def _turn(self, ask: Ask, actor: Actor, emit: Emit) -> TurnReport:
        request_id = ask.request_id or new_id()
        now = datetime.now(UTC)
        exchange = await self._store.write(partial(_open, ask, actor, request_id, now))
        self._overhear(actor, Query(request_id, exchange.session_id, ask.text))
        turn: Turn | None = None
        try:
            turn = await self._begun(ask, actor, emit, exchange, request_id)
            return await self._served(turn, exchange)
        except Exception as error:
            self._overhear(actor, _broken_off(error, exchange, request_id, turn))
            raise

    async def _begun(self, ask: Ask, actor: Actor, emit: Emit, exchange: Exchange, request_id: str) -> Turn:
        async def told(response: Response) -> None:
            self._overhear(actor, response)
            await emit(response)

        return Turn(
            store=self._store,
            replies=self._replies,
            actor=actor,
            fleet=await fleet.look(self._store, actor),
            request_id=request_id,
            session_id=exchange.session_id,
            text=exchange.text,
            question=intent.is_question(exchange.text),
            emit_to=told,
            here=exchange.chosen or ask.here,
            spans=self._spans,
        )

    async def _served(self, turn: Turn, exchange: Exchange) -> TurnReport:
        planner, said = await self._plan(turn, exchange)
        report = TurnReport(
            request_id=turn.request_id,
            session_id=exchange.session_id,
            outcome=said.outcome,
            planner=planner,
            calls=[CallReport.of(row) for row in turn.rows],
            question=said.question,
            text=said.text,
            error=said.error,
        )
        await self._store.write(
            partial(remember, report, exchange, said.about, turn.ordered, datetime.now(UTC))
        )
        await _tell_end(turn, report)
        return report

    async def _plan(self, turn: Turn, exchange: Exchange) -> tuple[str, Said]:
        language = intent.language_of(turn.text)
        known = candidates.meant(turn.fleet.known, exchange.chosen)
        trouble = await self._provider.trouble()
        # in a thread: the first sentence has the templates read, and each new kind of sentence some compiled
        plan = await asyncio.to_thread(self._planner.to_assistant, turn.text, known)
        if plan is not None:
            said = await self._carry_out(turn, plan, None)
            if trouble is not None or not _recalled_nothing(turn):
                return OFFLINE, said
        if trouble is None and not self._fast_path:
            return self._provider.name, await self._with_model(turn, exchange)
        plan = await asyncio.to_thread(self._planner.plan, turn.text, known, here=turn.here)
        if trouble is None and (isinstance(plan, Declined) or _only_recalls(plan)):
            return self._provider.name, await self._with_model(turn, exchange)
        note = answers.without_model(language) if isinstance(plan, Declined) else None
        if trouble != self._last_trouble and trouble is not None:
            logger.info("Planning without a model: %s", trouble)
        self._last_trouble = trouble
        return OFFLINE, await self._carry_out(turn, plan, note)

    async def _with_model(self, turn: Turn, exchange: Exchange) -> Said:
        history = await self._store.read(partial(recall, exchange.session_id, exchange.message_id))
        try:
            return await ModelPlanner(self._provider, turn, history, exchange).serve()
        except ProviderError as error:
            logger.warning("The model failed in request %s: %s", turn.request_id, error)
            receipts = answers.receipts(turn.rows, intent.language_of(turn.text))
            text = "\n".join([*receipts, str(error)])
            return Said("error", text, error=error.body())

    async def _carry_out(self, turn: Turn, plan: Plan, note: str | None) -> Said:
        match plan:
            case Declined(text):
                return Said("declined", "\n".join(filter(None, [text, note])))
            case Question(text, options, phrase):
                return Said("question", text, AskedBack(text=text, options=list(options)), about=phrase)
            case Calls(calls, repaired):
                return await self._run_plan(turn, calls, repaired=repaired)
            case Again(device_id, repaired):
                return await self._again(turn, device_id, repaired=repaired)

    async def _run_plan(self, turn: Turn, calls: Sequence[PlannedCall], *, repaired: bool) -> Said:
        language = intent.language_of(turn.text)
        doubts = [answers.mended(language)] if repaired else []
        rows = await turn.run(calls, [doubts] * len(calls))
        return Said(outcome_of(rows), "\n".join(answers.receipts(rows, language)))

    async def _again(self, turn: Turn, device_id: str, *, repaired: bool) -> Said:
        """The last order of this conversation, on another device: decided anew, with the doubts it had."""
        language = intent.language_of(turn.text)
        order = await self._store.read(partial(last_order, turn.session_id))
        if order is None:
            return Said("declined", answers.nothing_to_repeat(language))
        calls = [PlannedCall(device_id, call.tool, call.arguments) for call in order]
        mended = [answers.mended(language)] if repaired else []
        rows = await turn.run(calls, [[*call.doubts, *mended] for call in order])
        turn.ordered = order  # it stays what it was, also where the other device's tools are not known
        return Said(outcome_of(rows), "\n".join(answers.receipts(rows, language)))


def _recalled_nothing(turn: Turn) -> bool:
    """Whether it was only looked into the memory, in vain: a model may know what was never said here."""
    return bool(turn.rows) and all(
        row.tool_name == "recall" and not (row.result or {}).get("memories") for row in turn.rows
    )


def _only_recalls(plan: Plan) -> bool:
    """Whether the plan is to look into the memory for want of anything better: a model may know more."""
    return isinstance(plan, Calls) and all(call.tool == "recall" for call in plan.calls)


def _broken_off(error: Exception, exchange: Exchange, request_id: str, turn: Turn | None) -> Response:
    """The end that whoever follows a turn is told where it has none of its own."""
    body = error.body() if isinstance(error, OrionError) else _FAILED
    return Response(
        request_id=request_id,
        session_id=exchange.session_id,
        seq=0 if turn is None else turn.said,
        type="error",
        at=datetime.now(UTC),
        text=body.message,
        error=body,
    )


def _open(ask: Ask, actor: Actor, request_id: str, now: datetime, session: Any) -> Exchange:
    exchange = Exchange.open(session, ask.text, ask.session_id, actor=actor, now=now)
    audit.record(
        session,
        "request.received",
        now=now,
        actor=actor,
        detail={"request_id": request_id, "session_id": exchange.session_id, "text": ask.text[:500]},
    )
    return exchange


async def _tell_end(turn: Turn, report: TurnReport) -> None:
    if report.question is not None:
        await turn.emit("question", text=report.question.text, options=report.question.options)
    if report.error is not None:
        await turn.emit("error", text=report.text, error=report.error)
    else:
        await turn.emit("final", text=report.text)

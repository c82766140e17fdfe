"""A turn planned by a language model: it proposes calls, code decides, it sees what came of them.

Words about a change wait for its receipts; only the answer to a question is streamed.
After the first result the turn is tainted, and every further change must be the user's.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import aclosing

from controller.assistant import answers, intent, prompts, results, sanitize, whereabouts
from controller.assistant.memory import Exchange
from controller.assistant.outcome import AskedBack, outcome_of
from controller.assistant.providers.provider import ChatMessage, Completed, Provider, TextDelta, ToolCall
from controller.assistant.said import Said
from controller.assistant.taint import TaintGate
from controller.assistant.toolbox import Asked, Problem, Proposed, Toolbox
from controller.assistant.turn import Turn
from controller.errors import ProviderError
from controller.services import recollection
from controller.services.orders import Status
from controller.services.policy import Verdict
from controller.store.tables import ToolExecution
from schemas.errors import ErrorBody, ErrorCode

logger = logging.getLogger(__name__)

MAX_REPLIES = 8  # of the model in one turn
MAX_CALLS = 20
WITHIN = 600.0  # seconds
MAX_TEXT = 20_000  # characters of an answer
CORRECTABLE = frozenset({ErrorCode.INVALID_ARGUMENTS, ErrorCode.UNKNOWN_TOOL, ErrorCode.NOT_FOUND})


class ModelPlanner:
    """Serves one turn through a provider."""

    def __init__(
        self, provider: Provider, turn: Turn, history: Sequence[ChatMessage], exchange: Exchange
    ) -> None:
        self._provider = provider
        self._turn = turn
        self._language = intent.language_of(turn.text)
        self._where = whereabouts.find(turn.text, turn.fleet.known, here=turn.here, chosen=exchange.chosen)
        shown = [turn.fleet.offer(device) for device in self._where.candidates]
        self._toolbox = Toolbox(shown, question=turn.question)
        self._gate = TaintGate(turn.text, turn.fleet.trusted_words())
        self._calls_left = MAX_CALLS
        self._problem: Problem | None = None  # the last call that could not even be submitted
        self._done: dict[str, ToolExecution] = {}  # by what was called: the same call runs once a turn
        system = prompts.system(
            self._where.candidates,
            total=len(turn.fleet.known),
            text=turn.text,
            here=turn.here,
            language=self._language,
        )
        self._messages = [system, *history, ChatMessage("user", turn.text)]
        if exchange.chosen is not None:
            self._messages.append(ChatMessage("user", exchange.said))

    async def serve(self) -> Said:
        """Let the model plan until it answers, asks, is refused, or has used up its budget.

        Raises:
            ProviderError: the model gave no usable reply.
        """
        if self._where.question is not None:
            asked = self._where.question
            return Said(
                "question",
                asked.text,
                AskedBack(text=asked.text, options=list(asked.options)),
                about=asked.phrase,
            )
        try:
            async with asyncio.timeout(WITHIN):
                return await self._loop()
        except TimeoutError as error:
            raise ProviderError("The turn took too long and was ended.", code=ErrorCode.TIMEOUT) from error

    async def _loop(self) -> Said:
        for _ in range(MAX_REPLIES):
            reply = await self._reply()
            if not reply.tool_calls:
                return self._answer(reply.content)
            self._messages.append(reply)
            if ended := await self._act(reply.tool_calls):
                return ended
        self._messages.append(prompts.out_of_budget())
        return self._answer((await self._reply(without_tools=True)).content)

    async def _reply(self, *, without_tools: bool = False) -> ChatMessage:
        specs = [] if without_tools else self._toolbox.specs
        async with aclosing(self._provider.stream(self._messages, specs)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Completed):
                    return piece.message
                if isinstance(piece, TextDelta) and self._turn.question:
                    await self._turn.emit("chunk", text=sanitize.clean(piece.text, MAX_TEXT))
        raise ProviderError("The model's reply broke off before its end.", retryable=True)

    async def _act(self, calls: Sequence[ToolCall]) -> Said | None:
        """Decide and run the calls of one reply; the end of the turn if they ended it."""
        proposals: list[tuple[ToolCall, Proposed]] = []
        for call in calls:
            match self._toolbox.read(call):
                case Asked(question, options):
                    return Said("question", question, AskedBack(text=question, options=list(options)))
                case Problem() as problem:
                    await self._turn.note_unusable(call.name, problem)
                    self._problem = problem
                    self._messages.append(prompts.not_run(call, problem.message))
                case Proposed() as proposed if _key(proposed) in self._done:
                    self._show(call, self._done[_key(proposed)])
                case Proposed() as proposed:
                    proposals.append((call, proposed))
        if not proposals:
            return None
        if len(proposals) > self._calls_left:
            raise ProviderError(f"The model wanted more than {MAX_CALLS} calls in one turn.")
        self._calls_left -= len(proposals)
        return await self._run(proposals)

    async def _run(self, proposals: Sequence[tuple[ToolCall, Proposed]]) -> Said | None:
        wanted = [proposed for _, proposed in proposals]
        doubts = [[*self._where.doubts(each.device_id), *self._gate.ungrounded(each)] for each in wanted]
        self._gate.propose(wanted)
        rows = await self._turn.run(wanted, doubts)
        for (call, proposed), row in zip(proposals, rows, strict=True):
            self._done[_key(proposed)] = row
            self._show(call, row)
        if any(_ends_the_turn(row) for row in rows):
            return self._answer("")
        return None

    def _show(self, call: ToolCall, row: ToolExecution) -> None:
        if row.decision == Verdict.DENY.value:
            self._messages.append(prompts.denied(call, row.reasons))
            return
        if row.status == Status.AWAITING_APPROVAL.value:
            self._messages.append(prompts.waiting(call, row.reasons))
            return
        tool, result = answers.tool_of(row), row.result or {}
        if row.status == Status.SUCCEEDED.value and tool == "recall":
            if not recollection.trusted(result.get("memories", ())):
                self._gate.taint()
            self._messages.append(prompts.remembered(call, result))
            return
        if row.status == Status.SUCCEEDED.value and results.says_all(tool):
            # the receipt says it all; without a word of the device's the turn stays clean
            self._messages.append(prompts.receipt(call, device_id=row.device_id, status=row.status))
            return
        self._gate.taint()
        error = ErrorBody.model_validate(row.error, strict=False) if row.error else None
        self._messages.append(
            prompts.result(call, device_id=row.device_id, status=row.status, value=row.result, error=error)
        )

    def _answer(self, words: str) -> Said:
        """The end of the turn: receipts first, the model's words where they claim nothing untrue."""
        rows = self._turn.rows
        spoken = sanitize.clean(words, MAX_TEXT).strip()
        if rows:
            return Said(outcome_of(rows), answers.with_words(rows, spoken, self._language))
        if self._problem is not None:
            return self._nothing_usable(self._problem)
        if not spoken:
            raise ProviderError("The model answered nothing.")
        return Said("answer", answers.without_calls(spoken, self._language, question=self._turn.question))

    def _nothing_usable(self, problem: Problem) -> Said:
        """The model wanted only what does not exist or may not be called."""
        refused = problem.code is ErrorCode.PERMISSION_DENIED
        error = ErrorBody(code=problem.code, message=problem.message)
        text = f"{answers.nothing_done(self._language)} {problem.message}"
        return Said("refused" if refused else "error", text, error=error)


def _key(proposed: Proposed) -> str:
    return json.dumps([proposed.device_id, proposed.tool, proposed.arguments], sort_keys=True)


def _ends_the_turn(row: ToolExecution) -> bool:
    """A refusal is not argued with, a question to a person not anticipated."""
    if row.status == Status.AWAITING_APPROVAL.value:
        return True
    code = (row.error or {}).get("code")
    return row.decision == Verdict.DENY.value and code not in CORRECTABLE

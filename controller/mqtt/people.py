"""People who ask by MQTT: each request is one turn of the assistant, with its user's rights.

A request is in the store before it comes here, and runs in one life of the controller at
most: what an earlier life left without an end is answered `interrupted`.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from controller.assistant.chat import Ask, Assistant
from controller.errors import OrionError
from controller.services import mqtt_inputs, standing
from controller.store.notices import Notice, RequestTaken
from controller.store.store import Session, Store, StoreBusy, StoreFailed
from schemas.assistant import Response
from schemas.commands import Via
from schemas.errors import ErrorBody, ErrorCode
from schemas.spans import Spans

logger = logging.getLogger(__name__)

TURNS = 8  # at once
TURNS_OF_ONE = 2  # of one user
WAITING = 32  # requests that wait for a turn; beyond that they are refused
WAITING_OF_ONE = 4
AGAIN_AFTER = 1.0  # seconds; when the store did not take an answer

_BUSY = ErrorBody(code=ErrorCode.BUSY, message="Too many requests are at work; ask again in a moment.")
_NOBODY = ErrorBody(code=ErrorCode.PERMISSION_DENIED, message="You are not let in any more.")
_FAILED = ErrorBody(code=ErrorCode.INTERNAL, message="Something went wrong here; the log says what.")


class People:
    """Gives requests their turns, oldest first, and nobody all of them."""

    def __init__(
        self,
        store: Store,
        assistant: Assistant,
        *,
        spans: Spans | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._spans = spans or Spans()
        self._store = store
        self._assistant = assistant
        self._now = now
        self._waiting: deque[RequestTaken] = deque()
        self._refused: deque[RequestTaken] = deque()
        self._running: Counter[str] = Counter()
        self._wake = asyncio.Event()

    async def load(self) -> None:
        """At start: end what an earlier life left open."""
        left = await self._store.write(lambda session: mqtt_inputs.interrupt(session, now=self._now()))
        if left:
            logger.info("%d requests of users were interrupted by the last stop", left)

    def hear(self, notice: Notice) -> None:
        """Take note of a request that was written down."""
        if not isinstance(notice, RequestTaken):
            return
        # many are heard in one breath: those whose turn is free take no place of those that wait
        free = TURNS - self._running.total()
        free_of_one = min(free, TURNS_OF_ONE - self._running[notice.username])
        of_one = sum(1 for each in self._waiting if each.username == notice.username)
        full = len(self._waiting) >= WAITING + free or of_one >= WAITING_OF_ONE + free_of_one
        (self._refused if full else self._waiting).append(notice)
        self._wake.set()

    async def run(self) -> None:
        """Give turns until cancelled; those that run then end with it, and their commands go on."""
        async with asyncio.TaskGroup() as turns:
            while True:
                while self._refused:
                    turns.create_task(self._refuse(self._refused.popleft(), _BUSY), name="refusal")
                while (taken := self._next()) is not None:
                    self._running[taken.username] += 1
                    turns.create_task(self._serve(taken), name="turn")
                await self._wake.wait()
                self._wake.clear()

    def _next(self) -> RequestTaken | None:
        """The oldest whose turn it is."""
        if self._running.total() >= TURNS:
            return None
        for taken in self._waiting:
            if self._running[taken.username] < TURNS_OF_ONE:
                self._waiting.remove(taken)
                return taken
        return None

    async def _serve(self, taken: RequestTaken) -> None:
        try:
            error = mqtt_inputs.untimely(taken.request, self._now())  # it may have waited too long
            if error is None:
                error = await self._turn(taken)
            if error is not None:
                await self._refuse(taken, error)
        finally:
            self._running[taken.username] -= 1
            self._running += Counter()  # drops who has none
            self._wake.set()

    async def _turn(self, taken: RequestTaken) -> ErrorBody | None:
        """Do one turn; why it has no end of its own, if it has none."""
        request = taken.request
        said = Ask(request.text, session_id=request.session_id, here=request.device_id, request_id=request.id)

        async def emit(response: Response) -> None:
            if response.type != "chunk" or request.stream:
                await self._store_surely(
                    partial(mqtt_inputs.say, username=taken.username, response=response, now=response.at)
                )

        speaker = partial(standing.by_name, username=taken.username, via=Via.MQTT)
        try:
            if (actor := await self._store.ask(speaker)) is None:
                return _NOBODY  # shut out while it waited
            with self._spans.within("mqtt request", "consumer"):
                await self._assistant.turn(said, actor, emit)
        except OrionError as error:
            return error.body()
        except Exception:  # the controller outlives a turn that failed
            logger.exception("A turn of %s failed", taken.username)
            return _FAILED
        return None

    async def _refuse(self, taken: RequestTaken, error: ErrorBody) -> None:
        def end(session: Session) -> None:
            mqtt_inputs.refuse(session, taken.username, taken.request.id, error, now=self._now())

        await self._store_surely(end)

    async def _store_surely(self, work: Callable[[Session], None]) -> None:
        """Give it to the store until it is in: an answer without its end would never be over."""
        while True:
            try:
                await self._store.write(work)
            except (StoreBusy, StoreFailed) as error:
                logger.warning("A response cannot be stored yet: %s", error)
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return

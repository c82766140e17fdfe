"""The way of a command on the device: read, journalled, checked, run, answered.

Each id runs at most once, whatever arrives and however often; every command that can be
answered gets exactly one final reply.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from broker.session import Received
from device_node import outcomes, tools
from device_node.complaints import Complaints
from device_node.execution import Executor
from device_node.intake import Arrival, Intake
from device_node.journal import Entry, Journal, State
from device_node.replies import Replies
from device_node.tools.tool import Call, NodeContext
from schemas.commands import Cancel, Command, ReplyStatus
from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import MalformedMessage

logger = logging.getLogger(__name__)

SAY_ACCEPTED_AFTER = 1.0  # seconds; a final reply that comes sooner stands for itself
QUICK = 15.0  # seconds; tools with a longer limit say `accepted` before they start
PROGRESS_EVERY = 0.5  # seconds
REFUSALS = frozenset(
    {ErrorCode.PATH_NOT_ALLOWED, ErrorCode.APP_NOT_ALLOWED}
)  # the device's own check, at use


@dataclass
class Job:
    """A command on its way. It is the runner's until its final reply."""

    command: Command
    deadline: float  # on the monotonic clock; it does not start after that
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    why_stop: ReplyStatus = ReplyStatus.CANCELLED
    said_accepted: bool = False


class Runner:
    """Takes commands in, runs a few at once, and answers them."""

    def __init__(
        self,
        *,
        intake: Intake,
        journal: Journal,
        replies: Replies,
        context: NodeContext,
        complaints: Complaints,
        max_running: int,
        max_waiting: int,
        settled: Callable[[asyncio.Future[int] | None], None] = lambda _sent: None,
    ) -> None:
        self._intake = intake
        self._journal = journal
        self._replies = replies
        self._context = context
        self._complaints = complaints
        self._executor = Executor(journal)
        self._max_running = max_running
        self._waiting: asyncio.Queue[Job] = asyncio.Queue(max_waiting)
        self._jobs: dict[str, Job] = {}
        self._settled = settled  # called after each final reply of a tool
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def recover(self) -> None:
        """Answer for an earlier life: what it had started is interrupted, what was not acked is sent again."""
        for entry in await asyncio.to_thread(self._journal.unacknowledged):
            self._replies.again(entry.command_id, entry.reply_to or "", entry.reply or b"")
        problem = ErrorBody(
            code=ErrorCode.INTERRUPTED,
            message="The device stopped while it executed this; how far it came is not known.",
        )
        for entry in await asyncio.to_thread(self._journal.interrupted):
            if entry.reply_to is not None:
                await self._replies.final(
                    entry.command_id, entry.reply_to, ReplyStatus.INTERRUPTED, error=problem
                )

    async def command(self, message: Received) -> None:
        """Take a command in. When this returns it is journalled or answered: it may be acknowledged."""
        arrival = self._intake.read(message)
        if arrival is None:
            return
        arrived_at = asyncio.get_running_loop().time()
        known = await asyncio.to_thread(
            self._journal.receive,
            arrival.command_id,
            reply_to=arrival.reply_to,
            expires_at=arrival.expires_at.timestamp(),
        )
        if known is not None:
            await self._answer_again(known, arrival)
        elif arrival.life_s <= 0:
            await self._refuse(
                arrival, ReplyStatus.EXPIRED, ErrorCode.EXPIRED, "It arrived after its expiry."
            )
        elif arrival.command is None:
            await self._refuse(
                arrival,
                ReplyStatus.REJECTED,
                ErrorCode.INVALID_ARGUMENTS,
                f"The command is malformed: {arrival.fault}.",
            )
        elif arrival.command.tool not in tools.TOOLS:
            await self._refuse(
                arrival,
                ReplyStatus.REJECTED,
                ErrorCode.UNKNOWN_TOOL,
                f"This device has no tool {arrival.command.tool}.",
            )
        elif self._stopping:
            return  # only received: it runs in the next life, when it comes again
        else:
            await self._queue(arrival, arrival.command, arrived_at)

    async def cancel(self, message: Received) -> None:
        """Take a cancel in: before the start, during it, or after it."""
        if message.retain:
            self._complaints.add("retained", message.topic, "a retained cancel is refused")
            return
        try:
            cancel = Cancel.decode(message.payload)
        except MalformedMessage as malformed:
            self._complaints.add("malformed", message.topic, malformed.reason)
            return
        if cancel.expires_at <= datetime.now(UTC) or message.expiry_s == 0:
            self._complaints.add("expired", message.topic, "a cancel arrived after its expiry")
            return
        if (job := self._jobs.get(cancel.command_id)) is not None:
            job.stop.set()
            return
        known = await asyncio.to_thread(
            self._journal.cancel, cancel.command_id, expires_at=cancel.expires_at.timestamp()
        )
        if known is None or known.state is State.CANCELLED:
            logger.info("Command %s is cancelled before it arrived", cancel.command_id)
        elif known.reply is not None and known.reply_to is not None:
            self._replies.again(known.command_id, known.reply_to, known.reply)

    async def work(self) -> None:
        """Run what is taken in, a few at once, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._max_running):
                group.create_task(self._worker(), name=f"worker-{number}")

    async def wind_down(self, *, within_s: float) -> None:
        """Ask everything that runs to stop, start nothing more, and wait for the replies, once."""
        if self._stopping:
            return
        self._stopping = True
        while not self._waiting.empty():
            self._done(self._waiting.get_nowait())
        for job in self._jobs.values():
            job.why_stop = ReplyStatus.INTERRUPTED
            job.stop.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    async def _queue(self, arrival: Arrival, command: Command, arrived_at: float) -> None:
        job = Job(command, arrived_at + arrival.life_s)
        if self._waiting.full() or not self._executor.can_start():
            await self._refuse(
                arrival,
                ReplyStatus.REJECTED,
                ErrorCode.BUSY,
                "The device has too much to do; try again later.",
            )
            return
        self._jobs[command.id] = job
        self._idle.clear()
        self._waiting.put_nowait(job)

    async def _answer_again(self, known: Entry, arrival: Arrival) -> None:
        if known.state is State.CANCELLED:
            await self._refuse(
                arrival, ReplyStatus.CANCELLED, ErrorCode.CANCELLED, "It was cancelled before it arrived."
            )
        elif known.reply is not None:
            self._replies.again(known.command_id, arrival.reply_to, known.reply)
        else:
            self._replies.accepted(known.command_id, arrival.reply_to)

    async def _refuse(self, arrival: Arrival, status: ReplyStatus, code: ErrorCode, message: str) -> None:
        await self._replies.final(
            arrival.command_id, arrival.reply_to, status, error=ErrorBody(code=code, message=message)
        )

    async def _worker(self) -> None:
        while True:
            job = await self._waiting.get()
            try:
                await self._run(job)
            except Exception:  # one command's misfortune must not end the worker
                logger.exception("Command %s could not be answered", job.command.id)
            finally:
                self._done(job)

    def _done(self, job: Job) -> None:
        self._jobs.pop(job.command.id, None)
        if not self._jobs:
            self._idle.set()

    async def _run(self, job: Job) -> None:
        command = job.command
        loop = asyncio.get_running_loop()
        if job.stop.is_set():
            error = ErrorBody(code=ErrorCode.CANCELLED, message="It was cancelled before it started.")
            await self._replies.final(command.id, command.reply_to, ReplyStatus.CANCELLED, error=error)
            return
        if loop.time() >= job.deadline:
            error = ErrorBody(code=ErrorCode.EXPIRED, message="It expired before its turn came.")
            await self._replies.final(command.id, command.reply_to, ReplyStatus.EXPIRED, error=error)
            return
        limit = tools.TOOLS[command.tool].spec.timeout_s or command.timeout_s
        if limit > QUICK and not command.dry_run:
            self._accepted(job)
        later = loop.call_later(SAY_ACCEPTED_AFTER, self._accepted, job)
        began = time.monotonic()
        try:
            outcome = await outcomes.of(
                self._executor,
                self._call(command),
                asked_to_stop=job.stop,
                why_stop=lambda: job.why_stop,
                within_s=min(limit, command.timeout_s),
            )
        finally:
            later.cancel()
        self._settled(
            await self._replies.final(
                command.id,
                command.reply_to,
                outcome.status,
                result=outcome.result,
                error=outcome.error,
                duration_s=time.monotonic() - began,
            )
        )

    def _call(self, command: Command) -> Call:
        return Call(
            command_id=command.id,
            tool=command.tool,
            arguments=command.arguments,
            node=self._context,
            dry_run=bool(command.dry_run),
            progress=self._progress(command),
        )

    def _accepted(self, job: Job) -> None:
        if not job.said_accepted:
            job.said_accepted = True
            self._replies.accepted(job.command.id, job.command.reply_to)

    def _progress(self, command: Command) -> Callable[[float], None]:
        loop = asyncio.get_running_loop()
        said_at = 0.0

        def say(fraction: float) -> None:  # called in the tool's thread
            nonlocal said_at
            if (now := time.monotonic()) - said_at >= PROGRESS_EVERY:
                said_at = now
                loop.call_soon_threadsafe(self._replies.progress, command.id, command.reply_to, fraction)

        return say

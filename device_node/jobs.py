"""Commands on their way: taken in turn, a few at once, each until its final reply."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.session.steady import steady
from device_node import outcomes, tools
from device_node.execution import Executor
from device_node.replies import Replies
from device_node.spool import Sent
from device_node.tools.tool import Call, NodeContext
from schemas import context
from schemas.commands import Command, ReplyStatus
from schemas.errors import ErrorBody, ErrorCode
from schemas.spans import Facts, Spans
from schemas.traces import Trace

logger = logging.getLogger(__name__)

SAY_ACCEPTED_AFTER = 1.0  # seconds; a final reply that comes sooner stands for itself
SAY_WITHIN = 1.0  # seconds that a tool waits at most for that to be said
QUICK = 15.0  # seconds; tools with a longer limit say `accepted` before they start
PROGRESS_EVERY = 0.5  # seconds
POSTPONED = "postponed"  # what has not begun when the program stops
FAILURES = frozenset({ReplyStatus.FAILED, ReplyStatus.REJECTED, ReplyStatus.EXPIRED, ReplyStatus.INTERRUPTED})


@dataclass
class Job:
    """A command on its way. `again` marks one that an earlier life had started."""

    command: Command
    deadline: float  # a moment of `steady`; it does not start after that
    again: bool = False
    trace: Trace | None = None  # what it is a part of; None where nobody said
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    why_stop: ReplyStatus = ReplyStatus.CANCELLED
    said_accepted: bool = False


class Jobs:
    """The commands that this life of the node has taken on and not yet answered."""

    def __init__(
        self,
        *,
        executor: Executor,
        replies: Replies,
        context: NodeContext,
        max_running: int,
        max_waiting: int,
        settled: Callable[[Sent | None], None],
        spans: Spans,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._executor = executor
        self._steady = steady
        self._replies = replies
        self._context = context
        self._max_running = max_running
        self._most = max_running + max_waiting
        self._settled = settled
        self._spans = spans
        self._waiting: asyncio.Queue[Job] = asyncio.Queue()  # bounded by `put`
        self._jobs: dict[str, Job] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._may_start = asyncio.Event()
        self._may_start.set()

    def __contains__(self, command_id: str) -> bool:
        return command_id in self._jobs

    def get(self, command_id: str) -> Job | None:
        return self._jobs.get(command_id)

    def put(self, job: Job) -> bool:
        """Take it on, in the order of coming; False when there is too much to do."""
        if len(self._jobs) >= self._most or not self._executor.can_start():
            return False
        self._jobs[job.command.id] = job
        self._idle.clear()
        self._waiting.put_nowait(job)
        return True

    async def work(self) -> None:
        """Run what is taken on, a few at once, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._max_running):
                group.create_task(self._worker(), name=f"worker-{number}")

    def hold(self) -> None:
        """Start nothing until `go_on`; what runs goes on."""
        self._may_start.clear()

    def go_on(self) -> None:
        """Start what waits, as far as it has not expired."""
        self._may_start.set()

    async def wind_down(self, *, within_s: float) -> None:
        """Ask everything that runs to stop, start nothing more, and wait for the replies."""
        while not self._waiting.empty():
            self._done(self._waiting.get_nowait())
        for job in self._jobs.values():
            job.why_stop = ReplyStatus.INTERRUPTED
            job.stop.set()
        self.go_on()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    async def _worker(self) -> None:
        while True:
            job = await self._waiting.get()
            try:
                await self._may_start.wait()
                with (
                    context.about(job.trace, command_id=job.command.id, user=job.command.requested_by.user),
                    self._spans.within(f"tool {job.command.tool}", "consumer", **_facts(job.command)) as told,
                ):
                    told["orion.status"] = status = await self._run(job)
                    if status in FAILURES:
                        told["failed"] = status
            except Exception:  # one command's misfortune must not end the worker
                logger.exception("Command %s could not be answered", job.command.id)
            finally:
                self._done(job)

    def _done(self, job: Job) -> None:
        self._jobs.pop(job.command.id, None)
        if not self._jobs:
            self._idle.set()

    async def _run(self, job: Job) -> str:
        """Carry it out and answer for it; how it went."""
        command = job.command
        loop = asyncio.get_running_loop()
        if job.stop.is_set() and job.why_stop is ReplyStatus.INTERRUPTED:
            return POSTPONED  # the program stops: it runs in the next life, when it comes again
        if job.stop.is_set():
            return await self._settle_unstarted(
                job, ReplyStatus.CANCELLED, "It was cancelled before it started."
            )
        if self._steady() >= job.deadline:
            return await self._settle_unstarted(job, ReplyStatus.EXPIRED, "It expired before its turn came.")
        limit = tools.TOOLS[command.tool].spec.timeout_s or command.timeout_s
        started = self._saying_accepted(job) if limit > QUICK and not command.dry_run else _nothing
        later = loop.call_later(SAY_ACCEPTED_AFTER, self._accepted, job)
        began = time.monotonic()
        try:
            outcome = await outcomes.of(
                self._executor,
                self._call(command, started),
                asked_to_stop=job.stop,
                why_stop=lambda: job.why_stop,
                within_s=min(limit, command.timeout_s),
                deadline=job.deadline,
                again=job.again,
            )
        finally:
            later.cancel()
        sent = await self._replies.final(
            command.id,
            command.reply_to,
            outcome.status,
            result=outcome.result,
            error=outcome.error,
            duration_s=time.monotonic() - began,
        )
        self._settled(sent)
        return outcome.status.value

    async def _settle_unstarted(self, job: Job, status: ReplyStatus, message: str) -> str:
        code = ErrorCode(status.value)
        if job.again:  # not in this life, but in an earlier one
            status = ReplyStatus.INTERRUPTED
            code, message = (
                ErrorCode.INTERRUPTED,
                "It was cut off, and was not resumed; how far it came is not known.",
            )
        error = ErrorBody(code=code, message=message)
        await self._replies.final(job.command.id, job.command.reply_to, status, error=error)
        return status.value

    def _call(self, command: Command, started: Callable[[], None]) -> Call:
        return Call(
            command_id=command.id,
            tool=command.tool,
            arguments=command.arguments,
            node=self._context,
            dry_run=bool(command.dry_run),
            progress=self._progress(command),
            started=started,
        )

    def _accepted(self, job: Job) -> None:
        if not job.said_accepted:
            job.said_accepted = True
            self._replies.accepted(job.command.id, job.command.reply_to)

    def _saying_accepted(self, job: Job) -> Callable[[], None]:
        """Say `accepted` between the journal's word and the tool's first step.

        Not earlier: whoever has heard it and then sees this node die must find it `interrupted`.
        """
        loop = asyncio.get_running_loop()

        def say() -> None:  # called in the tool's thread
            said = threading.Event()

            def on_the_loop() -> None:
                self._accepted(job)
                said.set()

            loop.call_soon_threadsafe(on_the_loop)
            said.wait(SAY_WITHIN)

        return say

    def _progress(self, command: Command) -> Callable[[float], None]:
        loop = asyncio.get_running_loop()
        said_at = 0.0

        def say(fraction: float) -> None:  # called in the tool's thread
            nonlocal said_at
            if (now := time.monotonic()) - said_at >= PROGRESS_EVERY:
                said_at = now
                loop.call_soon_threadsafe(self._replies.progress, command.id, command.reply_to, fraction)

        return say


def _facts(command: Command) -> Facts:
    return {
        "orion.command_id": command.id,
        "orion.tool": command.tool,
        "orion.dry_run": bool(command.dry_run),
    }


def _nothing() -> None:
    return

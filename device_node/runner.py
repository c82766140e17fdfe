"""The way of a command on the device: read, journalled, checked, run, answered.

Each id runs at most once, whatever arrives and however often; every command that can be
answered gets exactly one final reply.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from pydantic import ValidationError

from broker.session import Received
from device_node import tools
from device_node.clock import Clock
from device_node.execution import Executor
from device_node.intake import Arrival, Intake
from device_node.jobs import Job, Jobs
from device_node.journal import Answer, Entry, Journal, JournalFull, JournalUnusable, State
from device_node.refusals import Refusals
from device_node.replies import Replies
from device_node.reserve import Refused
from device_node.spool import Sent
from device_node.tools.tool import NodeContext
from device_node.trust import Trust
from schemas.commands import Command, ReplyStatus
from schemas.errors import ErrorBody, ErrorCode
from schemas.spans import Spans

logger = logging.getLogger(__name__)

MAX_RUNS = 3  # of a command that may be resumed; what dies each time is not the program's fault

After = Callable[[], object] | None  # to be done once the message was acknowledged


class Runner:
    """Takes commands and cancels in, has them run, and answers them."""

    def __init__(
        self,
        *,
        intake: Intake,
        trust: Trust,
        journal: Journal,
        replies: Replies,
        refusals: Refusals,
        context: NodeContext,
        clock: Clock,
        max_running: int,
        max_waiting: int,
        settled: Callable[[Sent | None], None] = lambda _sent: None,
        spans: Spans | None = None,
    ) -> None:
        self._intake = intake
        self._trust = trust
        self._journal = journal
        self._replies = replies
        self._refusals = refusals
        self._clock = clock
        self._jobs = Jobs(
            executor=Executor(journal, steady=clock.steady),
            replies=replies,
            context=context,
            max_running=max_running,
            max_waiting=max_waiting,
            settled=settled,  # called after each final reply of a tool
            steady=clock.steady,
            spans=spans or Spans(),
        )
        self._stopping = False

    async def recover(self) -> None:
        """Answer for earlier lives: what they had started is interrupted, or resumed where that is safe.

        Raises:
            JournalUnusable: some of it could not be written; to be called again then.
        """
        for entry in await self._journal.interrupted():
            if entry.command_id in self._jobs:
                continue
            if (job := self._resumed(entry)) is None or not self._jobs.put(job):
                await self._replies.interrupted(entry.command_id, entry.reply_to or "")

    def refused_before(self, refused: Refused) -> Answer:
        """Say once more what an earlier life said without its journal."""
        status, code = ReplyStatus.REJECTED, ErrorCode.INTERNAL
        message = "The device could not write this command down when it came, so it did not run it."
        if refused.interrupted:
            status, code = ReplyStatus.INTERRUPTED, ErrorCode.INTERRUPTED
            message = "The device could not read its journal when this came: whether it had run is not known."
        payload = self._replies.payload(
            refused.command_id, status, error=ErrorBody(code=code, message=message)
        )
        return Answer(refused.command_id, refused.reply_to, refused.expires_at, payload)

    async def command(self, message: Received) -> After:
        """Take a command in. When this returns it is journalled or answered: it may be acknowledged.

        What is returned is an answer that must not leave before the acknowledgement.
        """
        if await self._trust.refuses(message):
            await self._answer_forged(message)
            return None
        arrival = self._intake.read(message)
        if arrival is None:
            return None
        if (answer := self._refusals.get(arrival.command_id)) is not None:
            return self._saying(replace(answer, reply_to=arrival.reply_to))
        if arrival.command_id in self._jobs:
            self._replies.accepted(arrival.command_id, arrival.reply_to)
            return None
        try:
            known = await self._journal.receive(
                arrival.command_id,
                reply_to=arrival.reply_to,
                expires_at=arrival.expires_at.timestamp(),
                now=self._clock.mark,
                command=message.payload,
                marks=self._clock.heard,
            )
        except JournalFull as full:
            return await self._refuse_unwritten(arrival, ReplyStatus.REJECTED, ErrorCode.BUSY, str(full))
        except JournalUnusable as trouble:
            return await self._refuse_without_journal(arrival, message, trouble)
        if arrival.command_id in self._jobs:  # twice in one batch
            self._replies.accepted(arrival.command_id, arrival.reply_to)
        elif known is None:
            await self._take_on(arrival)
        elif known.state is State.RECEIVED:
            await self._take_on(self._intake.as_first(arrival, known.command, message))
        else:
            await self._answer_again(known, arrival)
        return None

    async def cancel(self, message: Received) -> None:
        """Take a cancel in: before the start, during it, or after it. When this returns it is journalled.

        Raises:
            JournalUnusable: it could not be journalled; what runs is asked to stop all the same.
        """
        if await self._trust.refuses(message) or (cancel := self._intake.read_cancel(message)) is None:
            return
        try:
            known = await self._journal.cancel(
                cancel.command_id, expires_at=cancel.expires_at.timestamp(), marks=self._clock.heard
            )
        finally:
            if (job := self._jobs.get(cancel.command_id)) is not None:
                job.stop.set()
        if job is not None:
            return
        if known is None or known.reply is None:
            logger.info("Command %s is cancelled before it arrived", cancel.command_id)
        elif known.reply_to is not None:
            self._replies.again(known.reply_to, known.reply)

    def hold(self) -> None:
        """Start nothing until `go_on`: the machine is about to sleep."""
        self._jobs.hold()

    def go_on(self) -> None:
        """Start what waits, as far as it has not expired."""
        self._jobs.go_on()

    async def work(self) -> None:
        """Run what is taken in, a few at once, until cancelled."""
        await self._jobs.work()

    async def wind_down(self, *, within_s: float) -> None:
        """Ask everything that runs to stop, start nothing more, and wait for the replies, once."""
        if not self._stopping:
            self._stopping = True
            await self._jobs.wind_down(within_s=within_s)

    async def _answer_forged(self, message: Received) -> None:
        """Tell the controller, unless it is about an id that a real command has: that one has its own answer."""
        address = None if message.retain else self._intake.address(message)
        if address is None or address[0] in self._jobs or self._refusals.get(address[0]) is not None:
            return
        with contextlib.suppress(JournalUnusable):
            if await self._journal.known(address[0]) is None and self._trust.answers(message):
                self._replies.bad_signature(*address)

    async def _take_on(self, arrival: Arrival) -> None:
        if arrival.deadline <= self._clock.steady():
            await self._refuse(
                arrival, ReplyStatus.EXPIRED, ErrorCode.EXPIRED, "It arrived after its expiry."
            )
        elif arrival.command is None:
            message = f"The command is malformed: {arrival.fault}."
            await self._refuse(arrival, ReplyStatus.REJECTED, ErrorCode.INVALID_ARGUMENTS, message)
        elif arrival.command.tool not in tools.TOOLS:
            message = f"This device has no tool {arrival.command.tool}."
            await self._refuse(arrival, ReplyStatus.REJECTED, ErrorCode.UNKNOWN_TOOL, message)
        elif self._stopping:
            return  # only received: it runs in the next life, when it comes again
        elif not self._jobs.put(Job(arrival.command, arrival.deadline, trace=arrival.trace)):
            message = "The device has too much to do; try again later."
            await self._refuse(arrival, ReplyStatus.REJECTED, ErrorCode.BUSY, message)

    async def _answer_again(self, known: Entry, arrival: Arrival) -> None:
        if known.state is State.CANCELLED:
            await self._refuse(
                arrival, ReplyStatus.CANCELLED, ErrorCode.CANCELLED, "It was cancelled before it arrived."
            )
        elif known.reply is not None:
            self._replies.again(arrival.reply_to, known.reply)
        else:  # started, and not by anything that this life knows of
            await self._replies.interrupted(known.command_id, arrival.reply_to)

    async def _refuse(self, arrival: Arrival, status: ReplyStatus, code: ErrorCode, message: str) -> None:
        await self._replies.settle(
            arrival.command_id, arrival.reply_to, status, error=ErrorBody(code=code, message=message)
        )

    async def _refuse_without_journal(
        self, arrival: Arrival, message: Received, trouble: JournalUnusable
    ) -> After:
        repeated = message.dup or (arrival.command is not None and arrival.command.attempt > 1)
        if repeated and not trouble.readable:
            said = f"Whether it has run already is not known. {trouble}"
            return await self._refuse_unwritten(arrival, ReplyStatus.INTERRUPTED, ErrorCode.INTERRUPTED, said)
        return await self._refuse_unwritten(arrival, ReplyStatus.REJECTED, ErrorCode.INTERNAL, str(trouble))

    async def _refuse_unwritten(
        self, arrival: Arrival, status: ReplyStatus, code: ErrorCode, message: str
    ) -> After:
        """Answer what is not in the journal, and must therefore not be delivered again once it is answered."""
        payload = self._replies.payload(
            arrival.command_id, status, error=ErrorBody(code=code, message=message)
        )
        answer = Answer(arrival.command_id, arrival.reply_to, arrival.expires_at.timestamp(), payload)
        await self._refusals.add(answer, interrupted=status is ReplyStatus.INTERRUPTED)
        return self._saying(answer)

    def _saying(self, answer: Answer) -> After:
        def say() -> None:
            if not self._refusals.promise(answer):
                self._replies.again(answer.reply_to, answer.reply)

        return say

    def _resumed(self, entry: Entry) -> Job | None:
        """The job of a command that may run once more, or None."""
        if entry.command is None or entry.runs >= MAX_RUNS:
            return None
        try:
            command = Command.restore(entry.command.decode())
        except (ValidationError, UnicodeDecodeError):  # of an older release
            return None
        now = self._clock.steady()
        deadline = self._clock.deadline(command.expires_at, issued_at=None, expiry_s=None, arrived_at=now)
        if deadline <= now or not _resumable(command):
            return None
        logger.info("Command %s was cut off, and is run once more", command.id)
        return Job(command, deadline, again=True)


def _resumable(command: Command | None) -> bool:
    """Whether its author vouches for a second run of its tool."""
    if command is None or (tool := tools.TOOLS.get(command.tool)) is None:
        return False
    return tool.resumable and tool.spec.hints.idempotent

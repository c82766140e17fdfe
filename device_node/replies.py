"""What the device says of its commands: `accepted` and `progress` in passing, one final reply for good.

A final reply is in the journal before it is sent, so it is sent again until an Ack names
it, and no other one ever takes its place.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from device_node.journal import Journal, JournalUnusable, Kind, Spooled
from device_node.spool import Send, Sent, Spool
from device_node.tools.tool import Result
from schemas.commands import Reply, ReplyStatus
from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import MAX_PAYLOAD

logger = logging.getLogger(__name__)

FIRST_RETRY = 0.5  # seconds until a final reply is written once more; doubled each time
LONGEST_RETRY = 15.0  # seconds


class Replies:
    """Builds, keeps and sends the replies of one life of the node."""

    def __init__(
        self,
        boot_id: str,
        journal: Journal,
        spool: Spool,
        send: Send,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        made: Callable[[str], None] = lambda _command_id: None,
    ) -> None:
        self._boot_id = boot_id
        self._journal = journal
        self._spool = spool
        self._send = send
        self._now = now
        self._made = made  # called with the command's id before its final reply is sent for the first time

    def accepted(self, command_id: str, reply_to: str) -> None:
        """The command lives; this may be lost."""
        self._send(reply_to, self._reply(command_id, ReplyStatus.ACCEPTED).encode())

    def progress(self, command_id: str, reply_to: str, fraction: float) -> None:
        """How far it is, from 0 to 1; this may be lost."""
        reply = self._reply(command_id, ReplyStatus.PROGRESS)
        fraction = min(1.0, max(0.0, fraction))
        self._send(reply_to, reply.model_copy(update={"progress": fraction}).encode())

    def bad_signature(self, command_id: str, reply_to: str) -> None:
        """Say that one arrival was not the controller's. It settles nothing and is kept nowhere."""
        error = ErrorBody(
            code=ErrorCode.BAD_SIGNATURE, message="The command is not signed by this device's controller."
        )
        self._send(reply_to, self._reply(command_id, ReplyStatus.REJECTED, error=error).encode())

    async def final(
        self,
        command_id: str,
        reply_to: str,
        status: ReplyStatus,
        *,
        result: Result | None = None,
        error: ErrorBody | None = None,
        duration_s: float | None = None,
    ) -> Sent | None:
        """Settle a command: journal and spool in one, then send. The future is the broker's PUBACK.

        While it cannot be written it is not said either, and this goes on trying.
        """
        payload = self.payload(command_id, status, result=result, error=error, duration_s=duration_s)
        wait_s = FIRST_RETRY
        while True:
            try:
                sent = await self._settle(command_id, reply_to, payload)
            except JournalUnusable as trouble:
                logger.debug("Command %s is %s, kept back: %s", command_id, status, trouble)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_RETRY)
            else:
                logger.info("Command %s %s%s", command_id, status, f" ({error.code})" if error else "")
                return sent

    async def settle(self, command_id: str, reply_to: str, status: ReplyStatus, *, error: ErrorBody) -> None:
        """Settle a command that did not run, in one attempt.

        Raises:
            JournalUnusable: it could not be written, so it was not said.
        """
        await self._settle(command_id, reply_to, self.payload(command_id, status, error=error))
        logger.info("Command %s %s (%s)", command_id, status, error.code)

    async def interrupted(self, command_id: str, reply_to: str) -> None:
        """Answer for what an earlier life had started and nobody knows the end of.

        Raises:
            JournalUnusable: it could not be written, so it was not said.
        """
        message = "The device stopped while it executed this; how far it came is not known."
        error = ErrorBody(code=ErrorCode.INTERRUPTED, message=message)
        await self.settle(command_id, reply_to, ReplyStatus.INTERRUPTED, error=error)

    def again(self, reply_to: str, payload: bytes) -> Sent | None:
        """Say a final reply to whoever asks once more. If it waits for its Ack, it goes on waiting."""
        return self._send(reply_to, payload)

    def payload(
        self,
        command_id: str,
        status: ReplyStatus,
        *,
        result: Result | None = None,
        error: ErrorBody | None = None,
        duration_s: float | None = None,
    ) -> bytes:
        """A final reply as it travels; what cannot travel becomes an error that says so."""
        duration_ms = None if duration_s is None else round(duration_s * 1000, 3)
        try:
            reply = self._reply(command_id, status, result, error, duration_ms)
            payload = reply.encode()
        except ValueError:  # a tool's result that is no JSON, or text that is no UTF-8
            logger.exception("Result of command %s cannot travel", command_id)
            problem = ErrorBody(code=ErrorCode.INTERNAL, message="The result could not be written as JSON.")
            return self._reply(command_id, ReplyStatus.FAILED, None, problem, duration_ms).encode()
        if len(payload) <= MAX_PAYLOAD:
            return payload
        problem = ErrorBody(
            code=ErrorCode.PAYLOAD_TOO_LARGE,
            message=f"The reply is {len(payload)} bytes; at most {MAX_PAYLOAD} can travel.",
            detail={"size": len(payload), "limit": MAX_PAYLOAD},
        )
        return self._reply(command_id, ReplyStatus.FAILED, None, problem, duration_ms).encode()

    async def _settle(self, command_id: str, reply_to: str, payload: bytes) -> Sent | None:
        earlier = await self._journal.finish(command_id, reply_to=reply_to, reply=payload)
        if earlier is None:
            self._made(command_id)
            return self._spool.add(Spooled(Kind.REPLY, command_id, reply_to), payload)
        return self._send(reply_to, earlier.reply) if earlier.reply else None

    def _reply(
        self,
        command_id: str,
        status: ReplyStatus,
        result: Result | None = None,
        error: ErrorBody | None = None,
        duration_ms: float | None = None,
    ) -> Reply:
        return Reply(
            command_id=command_id,
            status=status,
            at=self._now(),
            boot_id=self._boot_id,
            result=result,
            error=error,
            duration_ms=duration_ms,
        )

"""What the device says of its commands: `accepted` and `progress` in passing, one final reply for good.

A final reply is in the journal and in the spool before it is sent, so it is sent again
until an Ack names it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

from device_node.journal import Journal
from device_node.spool import Kind, Spool, Spooled
from device_node.tools.tool import Result
from schemas.commands import Reply, ReplyStatus
from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import MAX_PAYLOAD

logger = logging.getLogger(__name__)

Send = Callable[[str, bytes], asyncio.Future[int] | None]  # None when there is no connection


class Replies:
    """Builds, keeps and sends the replies of one life of the node."""

    def __init__(self, boot_id: str, journal: Journal, spool: Spool, send: Send) -> None:
        self._boot_id = boot_id
        self._journal = journal
        self._spool = spool
        self._send = send

    def accepted(self, command_id: str, reply_to: str) -> None:
        """The command lives; this may be lost."""
        self._send(reply_to, self._reply(command_id, ReplyStatus.ACCEPTED).encode())

    def progress(self, command_id: str, reply_to: str, fraction: float) -> None:
        """How far it is, from 0 to 1; this may be lost."""
        reply = self._reply(command_id, ReplyStatus.PROGRESS)
        fraction = min(1.0, max(0.0, fraction))
        self._send(reply_to, reply.model_copy(update={"progress": fraction}).encode())

    async def final(
        self,
        command_id: str,
        reply_to: str,
        status: ReplyStatus,
        *,
        result: Result | None = None,
        error: ErrorBody | None = None,
        duration_s: float | None = None,
    ) -> asyncio.Future[int] | None:
        """Settle a command: journal, spool, then send. The future is the broker's PUBACK."""
        payload = self._payload(command_id, status, result, error, duration_s)
        try:
            await asyncio.to_thread(self._journal.finish, command_id, reply_to=reply_to, reply=payload)
        except sqlite3.Error:  # a full disk: what happened is said all the same, and kept in the spool
            logger.exception("Journal cannot keep the final reply of command %s", command_id)
        logger.info("Command %s %s%s", command_id, status, f" ({error.code})" if error else "")
        return self.again(command_id, reply_to, payload)

    def again(self, command_id: str, reply_to: str, payload: bytes) -> asyncio.Future[int] | None:
        """Send a final reply (once more) and keep it until its Ack."""
        self._spool.add(Spooled(Kind.REPLY, command_id, reply_to, payload))
        return self._send(reply_to, payload)

    def _payload(
        self,
        command_id: str,
        status: ReplyStatus,
        result: Result | None,
        error: ErrorBody | None,
        duration_s: float | None,
    ) -> bytes:
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
            at=datetime.now(UTC),
            boot_id=self._boot_id,
            result=result,
            error=error,
            duration_ms=duration_ms,
        )

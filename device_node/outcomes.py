"""How a tool's end becomes a command's: every way it can go has one status and one sentence."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from device_node.execution import Executor, NeverStarted, NotAllowed, Stopped, TimedOut, TooLate
from device_node.journal import JournalUnusable
from device_node.safety.errors import ToolError
from device_node.tools.tool import Call, Result
from schemas.commands import ReplyStatus
from schemas.errors import ErrorBody, ErrorCode

logger = logging.getLogger(__name__)

# found out while the tool used the path or application, and still the device's own check
REFUSALS = frozenset({ErrorCode.PATH_NOT_ALLOWED, ErrorCode.APP_NOT_ALLOWED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the final reply says."""

    status: ReplyStatus
    result: Result | None = None
    error: ErrorBody | None = None


async def of(
    executor: Executor,
    call: Call,
    *,
    asked_to_stop: asyncio.Event,
    why_stop: Callable[[], ReplyStatus],
    within_s: float,
    deadline: float = math.inf,
    again: bool = False,
) -> Outcome:
    """Run a call and say how it ended; `why_stop` tells a cancel from the program's own stop.

    A tool that stopped when it was asked to is cancelled. One that did not is interrupted,
    because nobody knows what it did or still does.
    """
    try:
        result = await executor.run(
            call, asked_to_stop=asked_to_stop, within_s=within_s, deadline=deadline, again=again
        )
    except (NotAllowed, NeverStarted, TooLate, JournalUnusable) as reason:
        return _unstarted(call, reason, again=again)
    except ToolError as error:
        if error.code is ErrorCode.CANCELLED and asked_to_stop.is_set():
            return _stopped(why_stop(), error.message)
        status = ReplyStatus.REJECTED if error.code in REFUSALS else ReplyStatus.FAILED
        return Outcome(status, error=error.body())
    except TimedOut:
        return _failed(ErrorCode.TIMEOUT, f"{call.tool} was not done within {within_s:g} s.")
    except Stopped as stopped:
        message = f"{call.tool} did not stop when it was asked to; how far it came is not known."
        if stopped.timed_out:
            message = f"{call.tool} was not done within {within_s:g} s. {message}"
        return _stopped(ReplyStatus.INTERRUPTED, message)
    except Exception:  # a tool's fault is the command's outcome, not the node's end
        logger.exception("Tool %s failed in command %s", call.tool, call.command_id)
        return _failed(ErrorCode.INTERNAL, f"{call.tool} failed because of a fault in the device's program.")
    return Outcome(ReplyStatus.SUCCEEDED, result)


def _unstarted(call: Call, reason: Exception, *, again: bool) -> Outcome:
    """What is said of a call whose tool did not start in this life; with `again` it had in an earlier one."""
    if isinstance(reason, JournalUnusable):
        logger.warning("Command %s was not started: %s", call.command_id, reason)
    if again:
        return _stopped(ReplyStatus.INTERRUPTED, f"It was cut off, and not resumed: {_why(reason)}")
    if isinstance(reason, NotAllowed):
        return Outcome(ReplyStatus.REJECTED, error=reason.error.body())
    if isinstance(reason, JournalUnusable):
        return _with_error(ReplyStatus.REJECTED, ErrorCode.INTERNAL, f"It was not started. {reason}")
    if isinstance(reason, NeverStarted):
        return _stopped(ReplyStatus.CANCELLED, "It was cancelled before it started.")
    return _with_error(ReplyStatus.EXPIRED, ErrorCode.EXPIRED, "It expired before it could start.")


def _why(reason: Exception) -> str:
    match reason:
        case NotAllowed(error=error):
            return error.message
        case NeverStarted():
            return "it was cancelled."
        case TooLate():
            return "it expired."
    return str(reason)


def _failed(code: ErrorCode, message: str) -> Outcome:
    return _with_error(ReplyStatus.FAILED, code, message)


def _stopped(status: ReplyStatus, message: str) -> Outcome:
    code = ErrorCode.INTERRUPTED if status is ReplyStatus.INTERRUPTED else ErrorCode.CANCELLED
    return _with_error(status, code, message)


def _with_error(status: ReplyStatus, code: ErrorCode, message: str) -> Outcome:
    return Outcome(status, error=ErrorBody(code=code, message=message))

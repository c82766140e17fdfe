"""How a tool's end becomes a command's: every way it can go has one status and one sentence."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from device_node.execution import Executor, NeverStarted, NotAllowed, Stopped, TimedOut
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
    again: bool = False,
) -> Outcome:
    """Run a call and say how it ended; `why_stop` tells a cancel from the program's own stop.

    A tool that stopped when it was asked to is cancelled. One that did not is interrupted,
    because nobody knows what it did or still does.
    """
    try:
        result = await executor.run(call, asked_to_stop=asked_to_stop, within_s=within_s, again=again)
    except NotAllowed as refused:
        return Outcome(ReplyStatus.REJECTED, error=refused.error.body())
    except NeverStarted:
        return _stopped(ReplyStatus.CANCELLED, "It was cancelled before it started.")
    except JournalUnusable as trouble:
        logger.warning("Command %s was not started: %s", call.command_id, trouble)
        error = ErrorBody(code=ErrorCode.INTERNAL, message=f"It was not started. {trouble}")
        return Outcome(ReplyStatus.REJECTED, error=error)
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


def _failed(code: ErrorCode, message: str) -> Outcome:
    return Outcome(ReplyStatus.FAILED, error=ErrorBody(code=code, message=message))


def _stopped(status: ReplyStatus, message: str) -> Outcome:
    code = ErrorCode.INTERRUPTED if status is ReplyStatus.INTERRUPTED else ErrorCode.CANCELLED
    return Outcome(status, error=ErrorBody(code=code, message=message))

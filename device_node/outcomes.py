"""How a tool's end becomes a command's: every way it can go has one status and one sentence."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from device_node.execution import Executor, NotAllowed, Stopped, TimedOut
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
) -> Outcome:
    """Run a call and say how it ended; `why_stop` tells a cancel from the program's own stop."""
    try:
        result = await executor.run(call, asked_to_stop=asked_to_stop, within_s=within_s)
    except NotAllowed as refused:
        return Outcome(ReplyStatus.REJECTED, error=refused.error.body())
    except ToolError as error:
        if error.code is ErrorCode.CANCELLED and asked_to_stop.is_set():
            return _stopped(why_stop(), error.message)
        status = ReplyStatus.REJECTED if error.code in REFUSALS else ReplyStatus.FAILED
        return Outcome(status, error=error.body())
    except TimedOut:
        return _failed(ErrorCode.TIMEOUT, f"{call.tool} was not done within {within_s:g} s.")
    except Stopped:
        return _stopped(why_stop(), f"{call.tool} was stopped; how far it came is not known.")
    except Exception:  # a tool's fault is the command's outcome, not the node's end
        logger.exception("Tool %s failed in command %s", call.tool, call.command_id)
        return _failed(ErrorCode.INTERNAL, f"{call.tool} failed because of a fault in the device's program.")
    return Outcome(ReplyStatus.SUCCEEDED, result)


def _failed(code: ErrorCode, message: str) -> Outcome:
    return Outcome(ReplyStatus.FAILED, error=ErrorBody(code=code, message=message))


def _stopped(status: ReplyStatus, message: str) -> Outcome:
    code = ErrorCode.INTERRUPTED if status is ReplyStatus.INTERRUPTED else ErrorCode.CANCELLED
    return Outcome(status, error=ErrorBody(code=code, message=message))

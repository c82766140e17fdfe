"""One tool, run in a thread of its own under its deadline.

A thread cannot be killed: a tool that is out of time, or cancelled, is asked to stop,
and after a grace nobody waits for it any more. Its late result is thrown away.
"""

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar, cast

from broker.session.steady import steady
from device_node import tools
from device_node.journal import Journal
from device_node.safety.check import check
from device_node.safety.errors import ToolError
from device_node.safety.policy import HOST_FLAVOUR
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)

GRACE = 3.0  # seconds a tool gets to stop when it is asked to
TIDY_WITHIN = 120.0  # seconds for one that heard it to put away what it had half done
LOOK_EVERY = 2.0  # seconds; the loop's own timers stand still while the machine sleeps
MAX_ABANDONED = 16  # threads that did not stop; beyond it nothing new is started

Value = TypeVar("Value")


class NotAllowed(Exception):
    """The device's own check refused the call; nothing was started."""

    def __init__(self, error: ToolError) -> None:
        super().__init__(error.message)
        self.error = error


class NeverStarted(Exception):
    """It was cancelled, or answered for, before it could start."""


class TooLate(Exception):
    """It expired before its tool could start."""


class TimedOut(Exception):
    """The tool was not done by its deadline, and stopped then."""


class Stopped(Exception):
    """The tool did not stop in time after it was asked to; what it did, and still does, is unknown."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("it did not stop when it was asked to")
        self.timed_out = timed_out


class Executor:
    """Runs checked calls, and knows the threads that did not come back."""

    def __init__(self, journal: Journal, *, steady: Callable[[], float] = steady) -> None:
        self._journal = journal
        self._steady = steady
        self._abandoned: set[threading.Thread] = set()

    def can_start(self) -> bool:
        """False when too many tools hang."""
        self._abandoned = {thread for thread in self._abandoned if thread.is_alive()}
        return len(self._abandoned) < MAX_ABANDONED

    async def run(
        self,
        call: Call,
        *,
        asked_to_stop: asyncio.Event,
        within_s: float,
        deadline: float = math.inf,
        again: bool = False,
    ) -> Result:
        """Check the call, write its start down, and run its tool; `again` resumes one that had started.

        The tool does not start after `deadline`, a moment of `steady`. Both limits count the
        time that the machine sleeps.

        Raises:
            NotAllowed: the device's own check said no; nothing was started.
            NeverStarted: it was cancelled before.
            TooLate: it expired before.
            JournalUnusable: its start could not be written down; nothing was started.
            ToolError: the tool said why it did not do it.
            TimedOut: not done within `within_s`, and stopped.
            Stopped: it was asked to stop and did not, within the grace.
        """
        future, thread = _in_thread(lambda: self._work(call, deadline, again=again), name=f"tool-{call.tool}")
        asking = asyncio.create_task(asked_to_stop.wait(), name=f"stop-{call.command_id}")
        try:
            await self._first_of(future, asking, within_s)
            timed_out = not future.done() and not asking.done()
            if not future.done():
                call.cancelled.set()
                await asyncio.wait((future,), timeout=GRACE)
                if call.heard.is_set():
                    await asyncio.wait((future,), timeout=TIDY_WITHIN)
        finally:
            call.cancelled.set()  # also when the program stops and nobody waits any more
            asking.cancel()
        if future.done():
            return _outcome(future, timed_out=timed_out)
        self._abandoned.add(thread)
        logger.warning("Tool %s of command %s did not stop when asked to", call.tool, call.command_id)
        raise Stopped(timed_out=timed_out)

    async def _first_of(
        self, future: asyncio.Future[Result], asking: asyncio.Task[bool], within_s: float
    ) -> None:
        ends_at = self._steady() + within_s
        while not (future.done() or asking.done()) and (left := ends_at - self._steady()) > 0:
            await asyncio.wait(
                (future, asking), timeout=min(left, LOOK_EVERY), return_when=asyncio.FIRST_COMPLETED
            )

    def _work(self, call: Call, deadline: float, *, again: bool) -> Result:
        try:
            check(call.node.policy, call.tool, call.arguments, HOST_FLAVOUR)
        except ToolError as error:
            raise NotAllowed(error) from error
        tool = tools.TOOLS[call.tool]
        call.go_on()
        changes = not (call.dry_run or tool.spec.hints.read_only)
        if not self._journal.start(call.command_id, changes=changes, again=again):
            raise NeverStarted
        if self._steady() >= deadline:  # writing took its time, or the machine slept
            raise TooLate
        call.started()
        return tool.run(call)


def _outcome(future: asyncio.Future[Result], *, timed_out: bool) -> Result:
    try:
        return future.result()  # done after all counts as done
    except ToolError as error:
        if timed_out and error.code is ErrorCode.CANCELLED:
            raise TimedOut from error
        raise


def _in_thread(work: Callable[[], Value], *, name: str) -> tuple[asyncio.Future[Value], threading.Thread]:
    """A daemon thread, so that a tool that hangs does not keep the program alive. It knows what it works for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Value] = loop.create_future()

    def settle(value: Value | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
            future.exception()  # an abandoned tool's error interests nobody
        else:
            future.set_result(cast(Value, value))

    def run() -> None:
        value: Value | None = None
        error: BaseException | None = None
        try:
            value = work()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where the future is awaited
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program has ended
            loop.call_soon_threadsafe(settle, value, error)

    thread = threading.Thread(target=copy_context().run, args=(run,), name=name, daemon=True)
    thread.start()
    return future, thread

"""One who watches: a place in the backlog, what they see from there on, and why it ends."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum

from controller.api.access.passes import Pass
from controller.api.live.messages import Control, Wrap, envelope
from controller.api.live.watch import Watch
from controller.api.views.rows import Json

STUCK = 15.0  # seconds in which a line takes nothing more: whoever is there does not read
HURRY = 0.3  # seconds that it gets still where all has to end


class End(Enum):
    """Why a stream ends: the close code of a WebSocket, and a word."""

    GONE = (1000, "gone")
    BAD_MESSAGE = (4400, "bad_message")
    UNAUTHORIZED = (4401, "unauthorized")  # the token ended, or opens nothing any more: renew it, and resume
    REFUSED = (4403, "refused")
    SLOW = (4408, "too_slow")
    TOO_FAST = (4429, "too_fast")
    STOPPING = (1012, "stopping")
    UNAVAILABLE = (1013, "try_again")

    @property
    def code(self) -> int:
        return int(self.value[0])

    @property
    def word(self) -> str:
        return str(self.value[1])


class Reader:
    """Hands out what is next for one line. `source`: what came after a place for a watch, and the place behind it."""

    def __init__(
        self,
        shown: Pass,
        watch: Watch,
        wrap: Wrap,
        place: int,
        *,
        source: Callable[["Reader"], tuple[bytes, int] | None],
        id_of: Callable[[int], str],
    ) -> None:
        self.shown = shown
        self.watch = watch
        self.wrap = wrap
        self.place = place
        self.end: End | None = None
        self.quiet_since = asyncio.get_running_loop().time()
        self.is_held = False  # until it is known what they may see by now
        self.ending: asyncio.TimerHandle | None = None  # when what they came in with ends
        self._source = source
        self._id_of = id_of
        self._own: deque[bytes] = deque()  # what the stream says of itself to this one
        self._awake = asyncio.Event()
        self._line: asyncio.Timeout | None = None

    @property
    def user(self) -> str:
        return self.watch.actor.user

    def wake(self) -> None:
        """There may be something new."""
        self._awake.set()

    def say(self, control: Control, data: Json | None = None) -> None:
        """Say something of the stream itself, before what comes next."""
        self._own.append(self.wrapped(control, data or {}))
        self._awake.set()

    def wrapped(self, control: Control, data: Json) -> bytes:
        """The same, as it goes over the line. Its id is the place that the reader has come to."""
        position = self._id_of(self.place)
        return self.wrap(position, control, envelope(position, control, datetime.now(UTC), data))

    def finish(self, end: End) -> None:
        """End the stream; the first reason counts."""
        if self.end is None:
            self.end = end
        self._awake.set()

    def hurry(self) -> None:
        """Do not wait any longer for a line that takes nothing."""
        if self._line is not None and not self._line.expired():
            self._line.reschedule(asyncio.get_running_loop().time() + HURRY)

    async def next(self) -> bytes | None:
        """What is to be sent now, as soon as there is anything; None: nothing any more."""
        while self.end is None:
            if self._own:
                return self._own.popleft()
            if not self.is_held:
                found = self._source(self)
                if found is None:
                    self.finish(End.SLOW)
                    break
                made, self.place = found
                if made:
                    return made
            self._awake.clear()
            await self._awake.wait()
        return None

    async def send(self, sending: Awaitable[None]) -> None:
        """Wait until a line has taken something.

        Raises:
            TimeoutError: it takes nothing.
        """
        try:
            async with asyncio.timeout(STUCK) as self._line:
                await sending
        except TimeoutError:
            self.finish(End.SLOW)
            raise
        finally:
            self._line = None
        self.quiet_since = asyncio.get_running_loop().time()

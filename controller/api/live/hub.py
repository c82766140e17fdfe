"""Who watches, and what they are told when: in rounds, which with many readers are fewer.

A round costs about as much for each reader, so the pause between two grows with them: messages that
come close together go out together, and however many watch, there is time for the rest of the program.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from controller.api.access.passes import Pass
from controller.api.live import judging
from controller.api.live.backlog import Backlog, Gap
from controller.api.live.messages import Control, Wrap
from controller.api.live.reader import End, Reader
from controller.api.live.sources import Sources
from controller.api.live.watch import Wanted, Watch
from controller.assistant.overheard import Query
from controller.errors import Refused
from controller.services.actors import Actor
from controller.store.notices import LivesForgotten, Notice
from controller.store.store import Store
from schemas.assistant import Response
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)

READERS = 1_200  # in all
OF_ONE = 50  # of one user
KEPT_FOR = 300.0  # seconds that messages are kept for, when nobody watches any more
PAUSE = 0.0001  # seconds for each reader, between two rounds
BATCH = 256 * 1024  # bytes that one reader gets at once
SHARED = 64  # batches that are kept for the next reader who is at the same place
KEEP_ALIVE = 15.0  # seconds of silence


class TooManyReaders(Refused):
    """There is no room for one more."""

    code = ErrorCode.RATE_LIMITED
    retry_after = 5

    def __init__(self, user: str | None = None) -> None:
        whose, remedy = ("This controller", "Wait, and try again") if user is None else (user, "Close one")
        super().__init__(f"{whose} has as many live streams open as there may be. {remedy}.")


class Hub:
    """The live stream of one controller."""

    def __init__(
        self, store: Store, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), readers: int = READERS
    ) -> None:
        self._store = store
        self._now = now
        self._most = readers
        self.backlog = Backlog(now)
        self._readers: set[Reader] = set()
        self._watches: WeakValueDictionary[Watch, Watch] = WeakValueDictionary()
        self._batches: dict[tuple[int, int, Wrap], tuple[Watch, bytes, int]] = {}
        self._sources = Sources(self.backlog, clock=_time, readers=lambda: len(self._readers))
        self._round: asyncio.TimerHandle | None = None
        self._rounded_at = 0.0
        self._told = 0  # number of the newest message that goes out in this round
        self._alone_since: float | None = None  # nobody has watched yet, or not for long
        self._is_closed = False
        self._doubts = judging.Doubts()
        self._wake = asyncio.Event()

    @property
    def count(self) -> int:
        """How many watch."""
        return len(self._readers)

    def count_of(self, wrap: Wrap) -> int:
        """How many watch by one kind of line."""
        return sum(reader.wrap is wrap for reader in self._readers)

    def hear(self, notice: Notice) -> None:
        """Tell what a committed transaction announced, and look again at whom it lets see what."""
        if self._doubts.hear(notice):
            for reader in self._readers:  # who is told nothing, until it is known what they may see
                reader.is_held = reader.is_held or self._doubts.about(reader)
            self._wake.set()
        if not self._is_listened_to():
            self.backlog.skip()
            return
        if isinstance(notice, LivesForgotten):
            for reader in self._readers:
                reader.say(Control.RESET, {"reason": "devices_unknown"})
        self._sources.hear(notice)
        self._tell_soon()

    def overhear(self, actor: Actor, said: Query | Response) -> None:
        """Tell what is said in a turn of the assistant."""
        if not self._is_listened_to():
            self.backlog.skip()
            return
        try:
            self._sources.overhear(actor, said)
        except Exception:  # a turn goes on, whoever cannot follow it
            logger.exception("What was said could not be told on the stream")
        self._tell_soon()

    async def open(self, shown: Pass, wanted: Wanted, wrap: Wrap, *, after: str | None = None) -> Reader:
        """Let somebody watch; `after` the message of that id, or from now on.

        Raises:
            Unauthorized: they may not come in.
            Refused: their API key opens nothing of it.
            TooManyReaders: there is no room.
            StoreFailed: it cannot be known now who they are.
        """
        self._check_room()
        changes = self._doubts.changes
        judged = await self._store.read(
            lambda session: judging.judge(session, shown, wanted, now=self._now())
        )
        watch = self._same(judged.watch)
        self._check_room(watch.actor.user)
        if not self._readers:
            self._doubts.begin(_time())
        self._is_listened_to(now_is=True)
        found = self.backlog.number if after is None else self.backlog.place_of(after)
        place = self.backlog.number if isinstance(found, Gap) else found
        reader = Reader(shown, watch, wrap, place, source=self._batch, id_of=self.backlog.id_of)
        reader.say(
            Control.READY,
            {
                "user": watch.actor.user,
                "types": sorted(watch.kinds),
                "resumed": after is not None and not isinstance(found, Gap),
            },
        )
        if isinstance(found, Gap):
            reader.say(Control.RESET, {"reason": found.value})
        self._end_at(reader, judged.ends_at)
        if self._doubts.changes != changes:  # while it was looked at who they are
            reader.is_held = True
            self._doubts.add(reader)
            self._wake.set()
        self._readers.add(reader)
        self._catch_up()
        if self._is_closed:
            reader.finish(End.STOPPING)
        return reader

    def leave(self, reader: Reader) -> None:
        """Somebody watches no more."""
        self._readers.discard(reader)
        reader.finish(End.GONE)
        if reader.ending is not None:
            reader.ending.cancel()
        if not self._readers:
            self._alone_since = _time()

    def close(self) -> None:
        """End every stream; whoever comes now is told so at once."""
        self._is_closed = True
        if self._round is not None:
            self._round.cancel()
        for reader in self._readers:
            reader.finish(End.STOPPING)
            reader.hurry()

    async def run(self) -> None:
        """Look after the readers until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._wake.wait()
            self._wake.clear()
            await self._look_again()
            now = _time()
            for reader in self._readers:
                if now - reader.quiet_since >= KEEP_ALIVE:
                    reader.quiet_since = now
                    reader.say(Control.KEEP_ALIVE)

    async def _look_again(self) -> None:
        """Judge anew whose rights may have changed; now and then all, as another program may have changed them."""
        began = _time()
        due = self._doubts.due(self._readers, began)
        if not due:
            return
        try:
            judged = await judging.judge_all(self._store, due, now=self._now())
        except Exception:  # whatever it is, nobody's rights are known, and the stream goes on for a while
            logger.exception("The rights of who watches cannot be looked at yet")
            if self._doubts.fail(due, began):
                for reader in self._readers:
                    reader.finish(End.UNAVAILABLE)
            return
        self._doubts.settle(_time())
        for reader in due:
            self._settle(reader, judged[reader.shown, reader.watch.wanted])

    def _settle(self, reader: Reader, judged: judging.Judged | End) -> None:
        if isinstance(judged, End):
            reader.finish(judged)
            return
        self._end_at(reader, judged.ends_at)
        if judged.watch != reader.watch:
            reader.watch = self._same(judged.watch)
            reader.say(Control.RESET, {"reason": "rights_changed"})
        if not self._doubts.about(reader):  # nothing more has changed meanwhile
            reader.is_held = False
            reader.wake()

    def _batch(self, reader: Reader) -> tuple[bytes, int] | None:
        """What came after a reader's place, and the place behind it; None: some of it is not kept any more."""
        if reader.place < self.backlog.lost:
            return None
        key = (id(reader.watch), reader.place, reader.wrap)
        found = self._batches.get(key)
        if found is None:
            if len(self._batches) >= SHARED:
                self._batches.clear()
            found = self._batches[key] = (reader.watch, *self._made(reader))
        return found[1], found[2]

    def _made(self, reader: Reader) -> tuple[bytes, int]:
        parts: list[bytes] = []
        size, place = 0, reader.place
        for message in self.backlog.after(place):
            if message.number > self._told or size >= BATCH:
                break
            place = message.number
            part = reader.watch.part(message)
            if part is not None:
                parts.append(message.wrapped(reader.wrap, part))
                size += len(parts[-1])
        return b"".join(parts), place

    def _tell_soon(self) -> None:
        if self._round is None and self.backlog.number > self._told and self._readers:
            due = self._rounded_at + PAUSE * len(self._readers)
            self._round = asyncio.get_running_loop().call_at(due, self._tell)

    def _tell(self) -> None:
        self._round = None
        self._rounded_at = _time()
        self._catch_up()
        for reader in self._readers:
            reader.wake()

    def _catch_up(self) -> None:
        """Let out all there is; what was made of less is of no use to who is at the same place."""
        self._told = self.backlog.number
        self._batches.clear()

    def _is_listened_to(self, *, now_is: bool = False) -> bool:
        """Whether messages are kept: somebody watches, or did a moment ago and may come back."""
        if self._readers or now_is:
            self._alone_since = None if self._readers else _time()
            return True
        if self._alone_since is not None and _time() - self._alone_since > KEPT_FOR:
            self._alone_since = None
            self._sources.forget()
        return self._alone_since is not None

    def _same(self, watch: Watch) -> Watch:
        """The one that is used already, where there is an equal one."""
        return self._watches.setdefault(watch, watch)

    def _end_at(self, reader: Reader, ends_at: datetime | None) -> None:
        if reader.ending is not None:
            reader.ending.cancel()
            reader.ending = None
        if ends_at is not None:
            left = max(0.0, (ends_at - self._now()).total_seconds())
            loop = asyncio.get_running_loop()
            reader.ending = loop.call_later(left, reader.finish, End.UNAUTHORIZED)

    def _check_room(self, user: str | None = None) -> None:
        if len(self._readers) >= self._most:
            raise TooManyReaders
        if user is not None and Counter(reader.user for reader in self._readers)[user] >= OF_ONE:
            raise TooManyReaders(user)


def _time() -> float:
    return asyncio.get_running_loop().time()

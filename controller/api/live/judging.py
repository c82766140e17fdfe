"""Who a reader is and what they may watch, at the door and again while they stay."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from controller.api.access.passes import Pass
from controller.api.access.refusals import Unauthorized
from controller.api.live.reader import End, Reader
from controller.api.live.watch import Wanted, Watch
from controller.errors import Refused
from controller.store.notices import Notice, PlaceChanged, PlaceGone, RightsChanged
from controller.store.store import Session, Store
from schemas.commands import Via

AT_ONCE = 100  # readers in one look at the store: others want to read there too
LOOK_AGAIN = 10.0  # seconds between two looks at the rights of all, whatever was heard
SELDOM = (
    20.0  # times as long as the last look took, at least: many readers of few devices are much to look at
)
REGROUPED = 0.5  # seconds between two looks because of devices: they are often added one after the other
UNSURE = 30.0  # seconds that the store may be away before nobody's rights are believed any more


@dataclass(frozen=True, slots=True)
class Judged:
    """What somebody may watch, and until when what they came in with opens it."""

    watch: Watch
    ends_at: datetime | None


@dataclass(slots=True)
class Doubts:
    """Whose rights may not be what they were when they were looked at."""

    changes: int = 0  # that were heard of
    every: float = LOOK_AGAIN  # seconds, at present
    _users: set[str] = field(default_factory=set)
    _places: bool = False
    _looked_at: float = 0.0
    _places_at: float = 0.0
    _all_at: float | None = None  # when the look at everybody began that is being made
    _failing_since: float | None = None

    def begin(self, now: float) -> None:
        """There was nobody whose rights were to be looked at, and now there is."""
        self._looked_at = now

    def hear(self, notice: Notice) -> bool:
        """Take note of what may change rights; whether it is such a thing."""
        match notice:
            case RightsChanged(username):
                self._users.add(username)
            case PlaceGone() | PlaceChanged(_, True):
                self._places = True
            case _:
                return False
        self.changes += 1
        return True

    def add(self, reader: Reader) -> None:
        """Look at this one again."""
        self._users.add(reader.user)

    def about(self, reader: Reader) -> bool:
        """Whether it is not known what this one may see."""
        return reader.user in self._users or (self._places and not reader.watch.is_the_same_everywhere)

    def due(self, readers: Iterable[Reader], now: float) -> list[Reader]:
        """Those who are to be looked at now; from here on new doubts count."""
        everybody = now - self._looked_at >= self.every
        self._all_at = now if everybody else None
        places = self._places and (everybody or now - self._places_at >= REGROUPED)
        users, self._users = self._users, set()
        if places:
            self._places, self._places_at = False, now
        return [
            reader
            for reader in readers
            if everybody or reader.user in users or (places and not reader.watch.is_the_same_everywhere)
        ]

    def settle(self, now: float) -> None:
        """They were looked at."""
        self._failing_since = None
        if self._all_at is not None:
            self._looked_at, self.every = self._all_at, max(LOOK_AGAIN, SELDOM * (now - self._all_at))

    def fail(self, due: Iterable[Reader], now: float) -> bool:
        """They could not be looked at; whether that is so for too long."""
        for reader in due:
            self.add(reader)
        self._failing_since = now if self._failing_since is None else self._failing_since
        return now - self._failing_since > UNSURE


def judge(session: Session, shown: Pass, wanted: Wanted, *, now: datetime) -> Judged:
    """What whoever came in with this may watch now.

    Raises:
        Unauthorized: they may not come in.
        Refused: they may watch nothing of it.
    """
    found = shown.look(session, Via.API, now=now)
    if found is None:
        raise Unauthorized
    return Judged(Watch.of(session, found.actor, wanted), found.until)


async def judge_all(
    store: Store, readers: Sequence[Reader], *, now: datetime
) -> Mapping[tuple[Pass, Wanted], Judged | End]:
    """The same for many, those that came in with the same and want the same once.

    Raises:
        StoreFailed: the database cannot be read now.
    """
    wanted = list({(reader.shown, reader.watch.wanted) for reader in readers})
    found: dict[tuple[Pass, Wanted], Judged | End] = {}
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]
        found |= await store.read(partial(_judged, some=some, now=now))
    return found


def _judged(
    session: Session, *, some: Sequence[tuple[Pass, Wanted]], now: datetime
) -> dict[tuple[Pass, Wanted], Judged | End]:
    return {each: _end_or(session, *each, now=now) for each in some}


def _end_or(session: Session, shown: Pass, wanted: Wanted, *, now: datetime) -> Judged | End:
    try:
        return judge(session, shown, wanted, now=now)
    except Unauthorized:
        return End.UNAUTHORIZED
    except Refused:
        return End.REFUSED

"""Who a reader is and what they may watch, at the door and again while they stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from controller.api.access.bearers import Unauthorized
from controller.api.access.passes import Pass
from controller.api.live.reader import End, Reader
from controller.api.live.watch import Wanted, Watch
from controller.errors import Refused
from controller.store.store import Session, Store
from schemas.commands import Via

AT_ONCE = 100  # readers in one look at the store: others want to read there too


@dataclass(frozen=True, slots=True)
class Judged:
    """What somebody may watch, and until when what they came in with opens it."""

    watch: Watch
    ends_at: datetime | None


def judge(session: Session, shown: Pass, wanted: Wanted, *, now: datetime) -> Judged:
    """What whoever came in with this may watch now.

    Raises:
        Unauthorized: they may not come in.
        Refused: they may watch nothing of it.
    """
    found = shown.look(session, Via.API, now=now)
    if found is None:
        raise Unauthorized
    actor, ends_at = found
    return Judged(Watch.of(session, actor, wanted), ends_at)


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

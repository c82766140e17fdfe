"""The rows of the audit in a database, a page at a time, so that a long chain holds up nobody."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, and_, cast, false, func, or_, select
from sqlmodel import Session

from controller.services import cuts
from controller.services.cuts import SignedCut
from controller.services.proof.walking import Row
from controller.store.tables import METADATA

PAGE = 2_000  # rows

_TABLE = METADATA.tables["audit_log"]
_PLACED = and_(_TABLE.c.instance.is_not(None), _TABLE.c.position.is_not(None))

Sessions = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Unchained:
    """Rows without a place in a chain: those of an earlier release, and those that somebody put in."""

    earlier: int
    first_stray: int | None  # the number of the first one behind the begin of the chains


class Stored:
    """The rows of a database. A row that cannot even be read is one that fits nothing."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def count(self) -> int:
        """How many there are in chains."""
        return int(self._one(select(func.count()).select_from(_TABLE).where(_PLACED)) or 0)

    def instances(self) -> list[str]:
        with self._sessions() as session:
            query = select(_TABLE.c.instance).where(_TABLE.c.instance.is_not(None)).distinct()
            return [str(found) for found in session.connection().execute(query).scalars()]

    def cuts(self) -> Mapping[str, SignedCut]:
        with self._sessions() as session:
            return cuts.of(session)

    def of(self, instance: str) -> Iterator[Row]:
        behind: int | None = None
        while True:
            with self._sessions() as session:
                page = _page(session, instance, behind)
            yield from page
            if len(page) < PAGE:
                return
            behind = page[-1]["position"]

    def holds(self, instance: str, position: int) -> bool:
        query = select(_TABLE.c.number).where(_TABLE.c.instance == instance, _TABLE.c.position == position)
        return self._one(query) is not None

    def position_of(self, instance: str, hash_: str) -> int | None:
        query = (
            select(_TABLE.c.position).where(_TABLE.c.instance == instance, _TABLE.c.hash == hash_).limit(1)
        )
        found = self._one(query)
        return found if isinstance(found, int) else None

    def _one(self, query: Any) -> Any:
        with self._sessions() as session:
            return session.connection().execute(query).scalars().first()


def unchained(session: Session) -> Unchained:
    """What stands outside of every chain. Behind the first row of a chain nothing should."""
    first_placed = select(func.min(_TABLE.c.number)).where(_PLACED)
    archived = [each.begins for each in cuts.of(session).values() if cuts.is_genuine(each)]
    there = session.connection().execute(first_placed).scalar_one()
    begins = min(archived if there is None else [*archived, there], default=None)
    loose = or_(_TABLE.c.instance.is_(None), _TABLE.c.position.is_(None))
    stray = false() if begins is None else and_(loose, _TABLE.c.number > begins)
    run = session.connection().execute
    first = run(select(func.min(_TABLE.c.number)).where(stray)).scalar_one()
    all_loose = run(select(func.count()).select_from(_TABLE).where(loose)).scalar_one()
    strays = run(select(func.count()).select_from(_TABLE).where(stray)).scalar_one()
    return Unchained(all_loose - strays, first)


def _page(session: Session, instance: str, behind: int | None) -> list[Row]:
    query = select(_TABLE).where(_TABLE.c.instance == instance, _TABLE.c.position.is_not(None))
    if behind is not None:
        query = query.where(_TABLE.c.position > behind)
    query = query.order_by(_TABLE.c.position).limit(PAGE)
    run = session.connection().execute
    try:
        return [dict(row) for row in run(query).mappings()]
    except (TypeError, ValueError):  # somebody wrote what the column's type cannot read
        numbers = list(run(query.with_only_columns(_TABLE.c.number)).scalars())
        return [_alone(session, number) for number in numbers]


def _alone(session: Session, number: int) -> Row:
    run = session.connection().execute
    one = _TABLE.c.number == number
    try:
        return dict(run(select(_TABLE).where(one)).mappings().one())
    except (TypeError, ValueError):
        columns = [_TABLE.c.number, _TABLE.c.instance, _TABLE.c.position]
        texts = [cast(_TABLE.c[name], String).label(name) for name in ("previous", "hash")]
        return dict(run(select(*columns, *texts).where(one)).mappings().one())

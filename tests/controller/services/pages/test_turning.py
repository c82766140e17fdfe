"""Whatever comes meanwhile, each row is shown once and none is left out."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from controller.services import events
from tests.controller.services.pages.kinds import EACH_ORDER, KINDS, an_event
from tests.databases import Databases


def name_of(row: Any) -> Any:
    return getattr(row, "number", None) or (row.id, getattr(row, "device_id", None))


@pytest.mark.parametrize("name", EACH_ORDER)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    there=st.lists(st.integers(0, 3), max_size=12),  # many of the same second
    coming=st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=6),
    limit=st.integers(1, 5),
)
def test_each_row_is_shown_once_in_order_whatever_comes_meanwhile(
    databases: Databases, name: str, there: list[int], coming: list[list[int]], limit: int
) -> None:
    kind = KINDS[name]
    with Session(databases.writer, expire_on_commit=False) as session, session.begin():
        for number, at in enumerate(there):
            kind.add(session, number, at)
            session.flush()
        before = {name_of(row) for row in kind.page(session, limit=1_000)}
        assert len(before) == len(there)
        shown: list[Any] = []
        cursor, count = None, len(there)
        while True:
            page = kind.page(session, limit=limit, cursor=cursor)
            assert len(page) <= limit
            shown += reversed(page) if kind.is_turned else page
            if page.next is None:
                break
            assert len(page) == limit
            cursor = page.next
            for at in coming.pop() if coming else ():
                kind.add(session, count, at)
                count += 1
                session.flush()
        everything = kind.page(session, limit=1_000)
        names = [name_of(row) for row in shown]
        assert len(names) == len(set(names))
        assert before <= set(names)
        order = [name_of(row) for row in (reversed(everything) if kind.is_turned else everything)]
        assert names == [each for each in order if each in set(names)]
        assert everything.next is None
        session.rollback()


def test_a_row_that_was_removed_still_tells_where_to_go_on(session: Session) -> None:
    for number in range(3):
        an_event(session, number, number)
    session.flush()
    first = events.recent(session, limit=1)
    session.delete(first[0])
    session.flush()

    assert [row.id for row in events.recent(session, cursor=first.next)] == ["1", "0"]

"""Pages show each row once, the newest first, and what narrows them hides nothing else."""

from functools import partial
from typing import Any

import pytest
from sqlmodel import Session

from controller.errors import InvalidCursor, UnknownDevice
from controller.services import events, search
from controller.services.search import Kind, Query
from tests.controller.services.search.findings import LATE, found, noted, remembered
from tests.factories import ADMIN, NOON, an_event, later


def test_what_has_expired_is_not_found_and_keeps_no_page_short(session: Session) -> None:
    for number in range(30):
        remembered(session, f"kept {number}", "orchid")
    for number in range(30):
        remembered(session, f"over {number}", "orchid", expires_at=later(60))

    page = search.find(session, Query("orchid"), actor=ADMIN, now=LATE, limit=20)

    assert [hit.title for hit in page.hits] == [f"kept {number}" for number in range(29, 9, -1)]


def test_pages_show_each_row_once_and_the_newest_first(session: Session) -> None:
    for number in range(700):
        noted(session, "command.sent" if number % 3 else "command.failed", number, detail={"n": number})
    shown: list[Any] = []
    cursor = None
    while True:
        page = search.find(session, Query("failed"), actor=ADMIN, now=LATE, limit=37, cursor=cursor)
        shown += [hit.at for hit in page.hits]
        if (cursor := page.next) is None:
            break
        noted(session, "command.failed", 9_000)  # what comes meanwhile moves nothing

    assert shown == [later(number) for number in range(699, -1, -3)]


def test_a_page_ends_when_it_took_long_and_says_where_to_go_on(session: Session) -> None:
    noted(session, "command.unicorn")
    session.flush()
    connection = session.connection()
    connection.exec_driver_sql(  # as if a million rows had come and gone
        "UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'search'"
        if connection.dialect.name == "sqlite"
        else "SELECT setval('search_number_seq', 1000000)"
    )
    noted(session, "command.unicorn")
    session.flush()
    hurried = partial(search.find, session, Query("unicorn"), actor=ADMIN, now=LATE, patience_s=0.0)

    page = hurried(limit=1)
    shown = list(page.hits)
    pages = 1
    while page.next is not None:
        page = hurried(limit=20, cursor=page.next)
        shown += page.hits
        pages += 1

    assert len(shown) == 2
    assert pages > 1


def test_kind_device_and_time_narrow_it(session: Session) -> None:
    for number, device_id in enumerate(("nas", "werk-pc") * 5):
        noted(session, "thing.noticed", number * 60, device_id=device_id)
        events.store(session, device_id, an_event(f"e{number}", type="thing_noticed"), now=later(number * 60))

    def count(**only: Any) -> int:
        return len(found(session, "noticed", **only))

    assert count() == 20
    assert count(kinds=(Kind.EVENT,)) == count(kinds=(Kind.AUDIT, Kind.MESSAGE)) == 10
    assert count(device_id="werk-pc") == 10
    assert count(device_id="werk-pc", kinds=(Kind.AUDIT,)) == 5
    with pytest.raises(UnknownDevice):  # a part of a name is none
        count(device_id="werk")
    assert count(since=later(300)) == 10
    assert count(until=later(300)) == 10
    assert count(since=later(60), until=later(120)) == 2
    assert count(since=LATE) == count(until=NOON) == 0


def test_a_clock_that_was_set_back_hides_nothing(session: Session) -> None:
    for seconds in (0, 100, 200, 50, 60, 300):
        noted(session, "thing.noticed", seconds, detail={"n": seconds})

    times = [hit.at for hit in found(session, "noticed", since=later(50), until=later(150))]

    assert sorted(times) == [later(50), later(60), later(100)]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "\u0661", "9" * 30, "1 OR 1"])
def test_what_is_no_cursor_is_refused(session: Session, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        search.find(session, Query("a"), actor=ADMIN, now=LATE, cursor=cursor)

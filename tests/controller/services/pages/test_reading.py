"""A page is found by an index, without reading all."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from controller.services import audit, devices
from tests.controller.services.pages.kinds import KINDS
from tests.factories import ADMIN, NOON, a_place
from tests.plans import explained

NOT_BY_INDEX = {  # of these a bounded number of rows is sorted
    "memory",
    "memory that holds a word",
    "commands of a group",
    "audit of a device",
    "audit by action",
    "audit of a device by action",
}
SORTED_BY_INDEX = [name for name in KINDS if name not in NOT_BY_INDEX]
TABLES = {"commands": "tool_executions", "audit": "audit_log", "open": "events", "memory": "context_memory"}


@pytest.mark.parametrize("name", SORTED_BY_INDEX)
@pytest.mark.parametrize("of_later_pages", [False, True])
def test_a_page_is_found_without_reading_all(session: Session, name: str, *, of_later_pages: bool) -> None:
    kind = KINDS[name]
    cursor = None
    if of_later_pages:
        kind.add(session, 1, 0)
        kind.add(session, 3, 0)
        session.flush()
        cursor = kind.page(session, limit=1).next
        assert cursor is not None
    first = name.split()[0]

    plan = explained(
        session, lambda: kind.page(session, limit=10, cursor=cursor), table=TABLES.get(first, first)
    )

    assert not plan.sorts, plan
    assert plan.by_index or name == "audit", plan  # its number is where SQLite keeps the row


def test_an_action_that_is_rare_is_found_beside_many_others(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    for number in range(50):
        audit.record(session, "command.sent", now=NOON + timedelta(seconds=number))

    assert [entry.action for entry in audit.entries(session, action="device")] == ["device.added"]
    assert [entry.action for entry in audit.entries(session, limit=2, action="")] == ["command.sent"] * 2
    assert audit.entries(session, action="%") == []

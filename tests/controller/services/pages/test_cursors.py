"""What is no cursor of this list is refused."""

import base64
import json
from typing import Any

import pytest
from sqlmodel import Session

from controller.errors import InvalidCursor
from controller.services.pages import MAX_CURSOR
from tests.controller.services.pages.kinds import EACH_ORDER, KINDS

BAD = {
    "nothing": "",
    "no cursor": "abc",
    "not ASCII": "é",
    "not base64": "a b!",
    "no JSON": base64.urlsafe_b64encode(b"\xff{").decode(),
    "no list": base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    "an empty list": base64.urlsafe_b64encode(b"[]").decode(),
    "too deep": base64.urlsafe_b64encode(b"[" * 300).decode(),
    "too long": "a" * (MAX_CURSOR + 1),
}
STRANGE: list[Any] = [
    None,
    True,
    1.5,
    "x",
    "\ud800",
    "\0",
    "x" * 200,
    10**30,
    -(10**30),
    [],
    {},
    2**53,
    -(2**53),
    float("nan"),
]


@pytest.mark.parametrize("cursor", BAD.values(), ids=BAD)
def test_what_is_no_cursor_is_refused(session: Session, cursor: str) -> None:
    for kind in KINDS.values():
        with pytest.raises(InvalidCursor, match="no cursor of this list"):
            kind.page(session, limit=1, cursor=cursor)


@pytest.mark.parametrize("name", EACH_ORDER)
def test_strange_places_are_refused_or_lead_to_a_page(session: Session, name: str) -> None:
    kind = KINDS[name]
    kind.add(session, 1, 0)
    kind.add(session, 3, 0)
    session.flush()
    cursor = kind.page(session, limit=1).next
    assert cursor is not None
    held = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    refused = 0
    for place in range(1, len(held) + 1):
        for strange in STRANGE:
            made = [*held[:place], strange, *held[place + 1 :]]
            sealed = base64.urlsafe_b64encode(json.dumps(made).encode()).decode()
            try:
                assert len(kind.page(session, limit=1, cursor=sealed)) <= 1
            except InvalidCursor:
                refused += 1
    assert refused >= len(STRANGE)


def test_a_cursor_serves_its_own_list_only(session: Session) -> None:
    cursors = {}
    for name in ("commands", "events", "audit", "sessions", "messages", "memory", "approvals"):
        kind = KINDS[name]
        kind.add(session, 1, 0)
        kind.add(session, 3, 0)
        session.flush()
        cursors[name] = kind.page(session, limit=1).next

    for name, cursor in cursors.items():
        for other in cursors:
            if other == name:
                KINDS[other].page(session, limit=1, cursor=cursor)
            else:
                with pytest.raises(InvalidCursor):
                    KINDS[other].page(session, limit=1, cursor=cursor)

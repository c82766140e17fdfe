"""The page on security shows what the tests have seen, no more and no less."""

import re

import pytest

from tests.security.rows import Table, declared, written

NUMBER = re.compile(r"^\| \d+ ")
ENOUGH = 60  # rows


def test_the_page_says_what_was_seen(table: Table, request: pytest.FixtureRequest) -> None:
    """Run `python -m tests.security --write` when an attempt or its outcome changed on purpose."""
    items = [item for item in request.session.items if declared(item)]
    folder = request.path.parent
    whole = {path.name for path in folder.glob("test_*.py")} <= {
        item.path.name for item in request.session.items
    }
    assert set(table.rows) == {item.nodeid for item in items}, "some attempts have not been seen to the end"
    if whole:
        assert table.lines() == written()
        assert len(table.rows) >= ENOUGH
    else:  # a part of the tests was run
        shown = {NUMBER.sub("", line) for line in written()}
        assert {NUMBER.sub("", line) for line in table.lines() if NUMBER.match(line)} <= shown

"""What is moved in these tests, where to, and who meddles with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine

from controller.store import engine, moving
from tests.factories import NOON


def quiet(_table: str, _rows: int) -> None:
    """Nobody looks on."""


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    found = engine.writer(url)
    yield found
    found.dispose()


@dataclass(frozen=True)
class Ends:
    """What is moved, and where to."""

    source: Engine
    target: Engine

    def copy(self, tell: Callable[[str, int], None] = quiet, at_once: int = 2) -> moving.Copied:
        reader = engine.reader(self.url(self.source))  # as the command has it
        try:
            return moving.copy(reader, self.target, place="here", now=NOON, tell=tell, at_once=at_once)
        finally:
            reader.dispose()

    def move(self) -> moving.Copied:
        copied = self.copy()
        moving.check(self.target, copied.entries, tell=quiet)
        moving.finish(self.target, run=copied.run)
        return copied

    def url(self, which: Engine) -> str:
        return which.url.render_as_string(hide_password=False)


def change(database: Engine, statement: Any) -> None:
    with database.begin() as connection:
        connection.execute(statement)


def a_user(number: int) -> dict[str, Any]:
    return {"username": f"user-{number}", "role": "admin", "added_by": "x", "added_at": NOON}


@contextmanager
def stopped_in(ends: Ends, table: str) -> Iterator[None]:
    """A move that broke off behind the first batch of this table."""

    def tell(which: str, _rows: int) -> None:
        if which == table:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ends.copy(tell)
    yield

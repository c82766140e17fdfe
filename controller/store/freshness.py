"""How often tables were changed by this program, so that what was read of them can be kept until then.

Only what this program writes is counted. Another one may write to the same database, so whatever is
kept is kept for a moment only.
"""

import re
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine, event

K = TypeVar("K")
V = TypeVar("V")

LONGEST = 2.0  # seconds that something is kept which nobody here has changed
MOST = 4_096  # answers that are kept of one kind

_CHANGES = re.compile(r'\s*(INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+(?:\w+\.)?"?(\w+)', re.IGNORECASE)
_GO_ALONG = {"devices": ("grants",), "users": ("grants", "api_keys", "sign_ins")}  # when they are deleted


class Freshness:
    """Numbers of changes by table; they are known to the readers once a transaction is committed."""

    def __init__(self, writer: Engine) -> None:
        self._changing: set[str] = set()  # by the transaction that is on its way
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        event.listen(writer, "before_cursor_execute", self._note)

    def of(self, *tables: str) -> tuple[int, ...]:
        """The numbers of these tables. Taken before they are read: what is read then is at least as new."""
        return tuple(self._counts.get(table, 0) for table in tables)

    def committed(self) -> None:
        """A transaction has ended, in whichever way: what it changed may be changed."""
        with self._lock:
            for table in self._changing:
                self._counts[table] = self._counts.get(table, 0) + 1
            self._changing = set()

    def _note(self, _connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if (found := _CHANGES.match(statement)) is not None:
            table = found[2].lower()
            self._changing.add(table)
            if found[1][0] in "dD":
                self._changing.update(_GO_ALONG.get(table, ()))


class Kept(Generic[K, V]):
    """Answers that hold until one of some tables is changed, and for some seconds at most.

    Lives on one event loop. `clock`: seconds that only grow.
    """

    def __init__(
        self, freshness: Freshness, *tables: str, clock: Callable[[], float], most: int = MOST
    ) -> None:
        self._freshness = freshness
        self._tables = tables
        self._clock = clock
        self._most = most
        self._at: tuple[int, ...] = ()
        self._answers: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """What was kept, if it still holds."""
        if self._freshness.of(*self._tables) != self._at:
            return None
        found = self._answers.get(key)
        return None if found is None or found[0] < self._clock() else found[1]

    def stamp(self) -> tuple[int, ...]:
        """To be taken before the tables are read."""
        return self._freshness.of(*self._tables)

    def keep(self, stamp: tuple[int, ...], key: K, answer: V) -> None:
        """Keep an answer that was read after this stamp was taken."""
        if stamp != self._at:
            if stamp != self._freshness.of(*self._tables):
                return  # it was changed while it was read
            self._answers.clear()
            self._at = stamp
        elif len(self._answers) >= self._most:
            self._answers.clear()
        self._answers[key] = (self._clock() + LONGEST, answer)

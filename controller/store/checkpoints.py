"""The write-ahead log of a file, brought into the file beside the writer.

SQLite does it within a commit once the log is long, and whoever waits for that commit waits for the
disk too: 50 to 200 ms were seen. Here a thread does it, and the writer goes on meanwhile.
"""

import logging
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from controller.store import engine as engines

logger = logging.getLogger(__name__)

AFTER = 500  # rows changed, those of triggers among them: about a thousand pages of the log


class Checkpoints:
    """Of one database. A server looks after itself, and nothing is done for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-log")
        self._changed = 0  # rows since the last one
        self._last: Future[None] | None = None

    def count(self, changed: int) -> None:
        """So many rows were changed and are committed. For the writer's thread alone."""
        self._changed += changed
        if self._changed < AFTER or (self._last is not None and not self._last.done()):
            return
        self._changed = 0
        with suppress(RuntimeError):  # no thread can be begun any more: the log is brought in at the end
            self._last = self._thread.submit(self._bring)

    def close(self) -> None:
        """Wait for the one that is being made."""
        self._thread.shutdown()

    def _bring(self) -> None:
        try:
            engines.write_through(self._engine)
        except (DBAPIError, sqlite3.Error) as error:  # the next one does it, or SQLite itself
            logger.debug("The log of the database could not be brought into it: %s", error)

"""A log can be read: what is said again and again is written once a minute."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

AGAIN_AFTER = 60.0  # seconds until a warning is written again word for word
MOST_KNOWN = 500  # warnings of which it is known when they were written


class Repeats:
    """What was said lately, and how often since. Bounded: what is known longest is forgotten."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._said: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def left_out(self, said: Hashable) -> int | None:
        """How often this was left out since it was said last; None: leave it out, it was said a moment ago."""
        now = self._now()
        at, left_out = self._said.get(said, (-AGAIN_AFTER, 0))
        if now - at < AGAIN_AFTER:
            self._said[said] = (at, left_out + 1)
            return None
        self._said[said] = (now, 0)
        self._said.move_to_end(said)
        if len(self._said) > MOST_KNOWN:
            self._said.popitem(last=False)
        return left_out


class Once(logging.Filter):
    """Leaves out a warning that was written a moment ago; the next one says how many that were.

    What is tried each second, as on a database that is away, would fill the log with one sentence.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._repeats = Repeats(now)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this is to be written."""
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        said = record.getMessage()
        left_out = self._repeats.left_out((record.name, record.levelno, said))
        if left_out:
            record.msg, record.args = f"{said} ({left_out} more of this were left out)", None
        return left_out is not None

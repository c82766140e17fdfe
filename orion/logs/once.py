"""A log can be read: what is said again and again is written once a minute."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

AGAIN_AFTER = 60.0  # seconds until a warning is written again word for word
MOST_KNOWN = 500  # warnings of which it is known when they were written


class Once(logging.Filter):
    """Leaves out a warning that was written a moment ago; the next one says how many that were.

    What is tried each second, as on a database that is away, would fill the log with one sentence.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._now = now
        self._written: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this is to be written."""
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        said, now = (record.name, record.levelno, record.getMessage()), self._now()
        at, left_out = self._written.get(said, (-AGAIN_AFTER, 0))
        if now - at < AGAIN_AFTER:
            self._written[said] = (at, left_out + 1)
            return False
        self._written[said] = (now, 0)
        self._written.move_to_end(said)
        if len(self._written) > MOST_KNOWN:
            self._written.popitem(last=False)
        if left_out:
            record.msg, record.args = f"{said[2]} ({left_out} more of this were left out)", None
        return True

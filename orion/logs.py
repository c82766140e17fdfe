"""The programs' log lines: on stderr, a time, a level, a fact. One line each, whatever is in it."""

import logging
import sys

LINE = "%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s"
# Libraries that tell at `info` what is of no use to an operator.
QUIET = ("httpx", "httpcore", "alembic", "uvicorn", "asyncio", "mqtt")
# It warns of each sweep that waits for the one before; the next makes up for it.
QUIETER = ("apscheduler",)


class _OneLine(logging.Formatter):
    """A message in one line; a traceback, which is ours, keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        lines = super().formatMessage(record).splitlines()
        return "\n    ".join("".join(each if each.isprintable() else "?" for each in line) for line in lines)


def configure(level: str) -> None:
    """Log to stderr from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(LINE, "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in QUIETER:
        logging.getLogger(name).setLevel(logging.ERROR)

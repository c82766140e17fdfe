"""Log lines for people."""

import logging
from typing import Any

from orion.logs.redaction import Redaction
from schemas import context

LINE = "%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s"
COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[31;1m"}
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


class Written(logging.Formatter):
    """A message in one line, with the ids that it does not say itself; a traceback, which is ours, keeps its lines."""

    def __init__(self, redaction: Redaction, *, coloured: bool = False) -> None:
        super().__init__(LINE, "%H:%M:%S")
        self._redaction = redaction
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback below it, without secrets."""
        return self._redaction.of(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        return _visible(super().formatException(ei), keep="\n")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        lines = [_visible(line) for line in super().formatMessage(record).splitlines()]
        text = "\n    ".join(lines)
        ids = " ".join(f"{name}={value}" for name, value in known_ids().items() if value not in text)
        if not self._coloured:
            return f"{text}  {_visible(ids)}" if ids else text
        text = f"{COLOURS.get(record.levelno, '')}{text}{PLAIN}"
        return f"{text}  {DIM}{_visible(ids)}{PLAIN}" if ids else text


def known_ids() -> dict[str, str]:
    """What the work at hand is about, as a log line says it."""
    found = dict(context.ids())
    if (trace_id := context.trace_id()) is not None:
        found["trace_id"] = trace_id
    return found


def _visible(line: str, keep: str = "") -> str:
    return "".join(each if each.isprintable() or each in keep else "?" for each in line)

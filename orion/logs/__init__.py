"""The programs' log lines: on stderr, a time, a level, a fact, and what it is about.

One line each, whatever is in it, for people or as JSON; and never a secret.
"""

import logging
import os
import sys
from typing import Literal

from orion.config.settings import Settings
from orion.logs.once import AGAIN_AFTER, MOST_KNOWN, Once
from orion.logs.redaction import Redaction, secrets_of
from orion.logs.written import Written

__all__ = ["AGAIN_AFTER", "MOST_KNOWN", "Form", "Once", "begin", "configure"]

Form = Literal["console", "json"]

# Libraries that tell at `info` what is of no use to an operator.
QUIET = ("httpx", "httpcore", "alembic", "uvicorn", "asyncio", "mqtt")
# It warns of each sweep that waits for the one before; the next makes up for it.
QUIETER = ("apscheduler",)


def begin(settings: Settings, program: str) -> None:
    """Log as this installation is told to, from now on."""
    redaction = Redaction(secrets_of(settings))
    configure(settings.log_level, form=settings.log_format, program=program, redaction=redaction)


def configure(
    level: str, *, form: Form = "console", program: str = "orion", redaction: Redaction | None = None
) -> None:
    """Log to stderr from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Once())
    handler.setFormatter(_formatter(form, program, redaction or Redaction()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in QUIETER:
        logging.getLogger(name).setLevel(logging.ERROR)


def _formatter(form: Form, program: str, redaction: Redaction) -> logging.Formatter:
    if form == "json":
        from orion.logs import structured  # a tenth of what a node takes in memory, for those who want it

        return structured.formatter(program, redaction)
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Written(redaction, coloured=coloured)

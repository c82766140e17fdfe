"""Log lines for programs: one JSON object a line, by structlog, over the records of the standard library.

Imported only where JSON is asked for.
"""

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter

from orion.logs.redaction import Redaction
from orion.logs.written import known_ids

Event = MutableMapping[str, Any]
ORDER = ("timestamp", "level", "program", "message", "logger")  # first these, then what it is about


def formatter(program: str, redaction: Redaction) -> logging.Formatter:
    """Writes a record with its time in UTC, its program, its logger, and the ids of what it is about."""
    return ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            _about(program),
            _without_secrets(redaction),
            structlog.processors.JSONRenderer(),
        ],
    )


def _about(program: str) -> Callable[[Any, str, Event], Event]:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        found: Event = {**event, **known_ids(), "program": program}
        return {**{name: found.pop(name) for name in ORDER if name in found}, **found}

    return add


def _without_secrets(redaction: Redaction) -> Callable[[Any, str, Event], Event]:
    def clean(_logger: Any, _method: str, event: Event) -> Event:
        return {
            name: redaction.of(value) if isinstance(value, str) else value for name, value in event.items()
        }

    return clean

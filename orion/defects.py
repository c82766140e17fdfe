"""Errors to Sentry, or to what speaks its protocol. Imported only where that is configured.

What is told is what the log says at `error`, with the stack and no variable of it: no request, no body, no
user, no host name, and none of what looks like a secret. The same error again within a minute is not told.
"""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import Event, Hint

from orion.logs.once import Repeats
from orion.logs.redaction import Redaction
from orion.logs.written import known_ids

LAST_WITHIN = 0.7  # seconds for what is left at the end
QUEUED = 100  # errors; beyond that none is taken until some have gone
TOLD = ("trace_id", "command_id", "device_id")
DROPPED = ("request", "user", "breadcrumbs", "extra", "modules", "contexts")


def begin(dsn: str, *, program: str, version: str, redaction: Redaction) -> None:
    """Tell of errors from now on, from a thread of the SDK."""
    repeats = Repeats()

    def reduced(event: Event, hint: Hint) -> Event | None:
        if repeats.left_out(_what(event, hint)) is None:
            return None
        kept: Any = {name: value for name, value in event.items() if name not in DROPPED}
        kept["tags"] = {name: value for name, value in known_ids().items() if name in TOLD} | {
            "program": program
        }
        found: Event = _cleaned(kept, redaction)
        return found

    sentry_sdk.init(
        dsn=dsn,
        release=version,
        server_name=f"orion-{program}",  # else the computer's name
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR, sentry_logs_level=None)],
        default_integrations=False,
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=0.0,
        propagate_traces=False,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_metrics=False,
        spotlight=False,
        transport_queue_size=QUEUED,
        shutdown_timeout=LAST_WITHIN,
        before_send=reduced,
    )


def end() -> None:
    """Send what is left, as far as that is quick. Blocks."""
    sentry_sdk.get_client().close(timeout=LAST_WITHIN)


def _what(event: Event, hint: Hint) -> tuple[str, ...]:
    """By what an error is known again: who says what, and where it was raised."""
    record: logging.LogRecord | None = hint.get("log_record")
    said = ("", str(event.get("message", ""))) if record is None else (record.name, record.getMessage())
    _, error, trace = hint.get("exc_info") or (None, None, None)
    if error is None:
        return said
    raised = [f"{frame.f_code.co_filename}:{line}" for frame, line in traceback.walk_tb(trace)]
    return (*said, type(error).__name__, *raised[-1:])


def _cleaned(value: Any, redaction: Redaction) -> Any:
    if isinstance(value, str):
        return redaction.of(value)
    if isinstance(value, Mapping):
        # a path of this computer tells who its user is; the module and the line are enough
        return {name: _cleaned(each, redaction) for name, each in value.items() if name != "abs_path"}
    if isinstance(value, list | tuple):
        return [_cleaned(each, redaction) for each in value]
    return value

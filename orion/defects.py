"""Errors to Sentry, or to what speaks its protocol. Imported only where that is configured.

What is told is what the log says at `error`, with the stack and no variable of it: no request, no body, no
user, no host name, and none of what looks like a secret.
"""

import logging
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import Event, Hint

from orion.logs.redaction import Redaction
from orion.logs.written import known_ids

LAST_WITHIN = 0.7  # seconds for what is left at the end
QUEUED = 100  # errors; beyond that none is taken until some have gone
TOLD = ("trace_id", "command_id", "device_id")
DROPPED = ("request", "user", "breadcrumbs", "extra", "modules", "contexts")


def begin(dsn: str, *, program: str, version: str, redaction: Redaction) -> None:
    """Tell of errors from now on, from a thread of the SDK."""

    def reduced(event: Event, _hint: Hint) -> Event | None:
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


def _cleaned(value: Any, redaction: Redaction) -> Any:
    if isinstance(value, str):
        return redaction.of(value)
    if isinstance(value, Mapping):
        # a path of this computer tells who its user is; the module and the line are enough
        return {name: _cleaned(each, redaction) for name, each in value.items() if name != "abs_path"}
    if isinstance(value, list | tuple):
        return [_cleaned(each, redaction) for each in value]
    return value

"""Spans to an OpenTelemetry collector, by OTLP over HTTP. Imported only where one is configured.

A thread of the SDK sends them, from a queue that drops what it cannot hold: a collector that is slow,
away or wrong costs spans and nothing else.
"""

import logging
import threading
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from schemas.spans import Span

logger = logging.getLogger(__name__)

PATH = "/v1/traces"
QUEUED = 4_096  # spans; beyond that the oldest go
SEND_EVERY = 1_000  # milliseconds
ANSWER_WITHIN = 5.0  # seconds that a collector has for one batch
LAST_WITHIN = 0.7  # seconds for what is left at the end
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
SCOPE = InstrumentationScope("orion")
NANO = 1_000_000_000
KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Collector:
    """Where the spans of one program go. Without `endpoint` it is where the standard variables say."""

    def __init__(self, endpoint: str | None, *, program: str, instance: str) -> None:
        exporter = OTLPSpanExporter(traces_of(endpoint) if endpoint else None, timeout=ANSWER_WITHIN)
        self._queue = BatchSpanProcessor(exporter, max_queue_size=QUEUED, schedule_delay_millis=SEND_EVERY)
        self._resource = Resource.create(
            {"service.name": f"orion-{program}", "service.instance.id": instance}
        )

    def tell(self, span: Span) -> None:
        """Take a span; never waits, never raises."""
        try:
            self._queue.on_end(self._as_theirs(span))
        except Exception:  # the work that this tells of must not fail by it
            logger.exception("A span could not be told")

    def close(self) -> None:
        """Send what is left, as far as that is quick. Blocks."""
        # the SDK would wait for half a minute
        closing = threading.Thread(target=self._queue.shutdown, name="telemetry-end", daemon=True)
        closing.start()
        closing.join(LAST_WITHIN)

    def _as_theirs(self, span: Span) -> ReadableSpan:
        trace_id = int(span.trace.trace_id, 16)
        parent = (
            None
            if span.parent is None
            else SpanContext(trace_id, int(span.parent, 16), is_remote=True, trace_flags=SAMPLED)
        )
        status = Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.UNSET)
        return ReadableSpan(
            span.name,
            context=SpanContext(trace_id, int(span.trace.span_id, 16), is_remote=False, trace_flags=SAMPLED),
            parent=parent,
            resource=self._resource,
            attributes=dict(span.facts),
            kind=KINDS[span.kind],
            status=status,
            start_time=int(span.began_at * NANO),
            end_time=int(max(span.began_at, span.ended_at) * NANO),
            instrumentation_scope=SCOPE,
        )


def traces_of(endpoint: str) -> str:
    """Where traces go, of an address as a collector's documentation names it."""
    parts = urlsplit(endpoint)
    return endpoint if parts.path.strip("/") else urlunsplit(parts._replace(path=PATH))

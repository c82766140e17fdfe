"""A collector of traces on a loopback port: it takes OTLP over HTTP and keeps what it was told."""

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.serving import Quiet, Served


@dataclass(frozen=True)
class Told:
    """One span as it arrived; ids as hex, no parent as an empty text."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    failed: bool
    facts: dict[str, Any]


class Collector(Served):
    """A context manager; `url` is where it listens. One that `hangs` takes everything and never answers."""

    def __init__(self, *, status: int = 200, hangs: bool = False) -> None:
        self.status = status
        self.hangs = hangs
        self.paths: list[str] = []
        self.over = threading.Event()
        self._spans: list[Told] = []
        self._lock = threading.Lock()
        server = _Server(("127.0.0.1", 0), _Handler)
        server.collector = self
        super().__init__(server)

    @property
    def spans(self) -> list[Told]:
        with self._lock:
            return list(self._spans)

    def of(self, trace_id: str) -> list[Told]:
        """What was told of one trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def take(self, path: str, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            _told(group.resource, span)
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self.paths.append(path)
            self._spans += found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()  # who hangs goes on
        super().__exit__(kind, error, trace)


def _told(resource: Any, span: Any) -> Told:
    about = {each.key: each.value.string_value for each in resource.attributes}
    facts = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
    return Told(
        about["service.name"],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        span.status.code == span.status.STATUS_CODE_ERROR,
        facts,
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    collector: Collector


class _Handler(Quiet, BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        collector = self.server.collector
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if collector.hangs:
            collector.over.wait()
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        collector.take(self.path, body)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(collector.status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

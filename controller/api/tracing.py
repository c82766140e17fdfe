"""Each request belongs to a trace: the caller's, where it names one to the letter, else one of its own.

The trace marks log lines, errors, the audit and the commands that the request submits. It is a label: a
caller who names another's trace stands beside it in a timeline, under their own name, and nothing more.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.api.metering import UPGRADED, known_method, route_of
from schemas import context, traces
from schemas.spans import Facts, Spans
from schemas.traces import Trace

ANSWERED = "Trace-Id"  # on every answer
_RAW, _HEADER = ANSWERED.lower().encode(), traces.HEADER.encode()
_BEGINNINGS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})
FAULT = 500  # the least status that says that the fault is ours


class Traced:
    """An application whose requests are traced; it is around everything else, so that no error is missed."""

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        caller = _caller(scope)
        trace = traces.begun() if caller is None else caller.below()
        told: Facts = {}
        telling = _telling(send, trace, told)
        if not self._spans.wanted:
            with context.about(trace):
                await self._app(scope, receive, telling)
            return
        parent = None if caller is None else caller.span_id
        method = known_method(scope)
        with self._spans.of(trace, parent, method, "server") as facts:
            try:
                await self._app(scope, receive, telling)
            finally:
                route = route_of(scope)
                facts |= told
                facts |= {"name": f"{method} {route}", "http.request.method": method, "http.route": route}


def _telling(send: Send, trace: Trace, told: Facts) -> Send:
    """Says the trace on the answer, and notes what it was."""

    async def telling(message: Message) -> None:
        if message["type"] in _BEGINNINGS:
            message["headers"] = [*message.get("headers", ()), (_RAW, trace.trace_id.encode())]
            told["http.response.status_code"] = status = message.get("status", UPGRADED)
            if status >= FAULT:
                told["failed"] = f"HTTP {status}"
        await send(message)

    return telling


def _caller(scope: Scope) -> Trace | None:
    """The caller's piece of work; of two that contradict each other none counts."""
    said = [value for name, value in scope["headers"] if name == _HEADER]
    return traces.parse(said[0].decode("latin-1")) if len(said) == 1 else None

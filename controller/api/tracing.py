"""Each request belongs to a trace: the caller's, where it names one to the letter, else one of its own.

The trace marks log lines, errors, the audit and the commands that the request submits. It is a label: a
caller who names another's trace stands beside it in a timeline, under their own name, and nothing more.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas import context, traces
from schemas.traces import Trace

ANSWERED = "Trace-Id"  # on every answer


class Traced:
    """An application whose requests are traced; it is around everything else, so that no error is missed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        caller = _caller(scope)
        trace = traces.begun() if caller is None else caller.below()

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[ANSWERED] = trace.trace_id
            await send(message)

        with context.about(trace):
            await self._app(scope, receive, telling)


def _caller(scope: Scope) -> Trace | None:
    """The caller's piece of work; of two that contradict each other none counts."""
    said = [value for name, value in scope["headers"] if name == traces.HEADER.encode()]
    return traces.parse(said[0].decode("latin-1")) if len(said) == 1 else None

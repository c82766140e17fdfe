"""Each request is counted when its answer has ended, by the template of its route."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.instruments import METHODS, OTHER, Instruments, Stopwatch

STREAM = "text/event-stream"
NO_ROUTE = "none"  # nothing is at that address, whatever it was


class Metered:
    """An application whose answers are counted; it is around everything else, so that no answer is missed."""

    def __init__(self, app: ASGIApp, instruments: Instruments) -> None:
        self._app = app
        self._instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watch = Stopwatch()
        status = 500  # unless one is sent
        began: float | None = None  # of a stream, which lasts as long as somebody watches

        async def noting(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status = message["status"]
                if Headers(scope=message).get("content-type", "").startswith(STREAM):
                    began = watch.seconds
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._instruments.answered(
                known_method(scope), route_of(scope), status, watch.seconds if began is None else began
            )


def known_method(scope: Scope) -> str:
    """The method of a request, where HTTP has such a one."""
    method: str = scope.get("method", "GET")  # a WebSocket begins as one
    return method if method in METHODS else OTHER


def route_of(scope: Scope) -> str:
    """The template of the route that was found for a request; never the path that was asked for."""
    return getattr(scope.get("route"), "path", NO_ROUTE)

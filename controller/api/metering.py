"""Each request is counted when its answer has ended, by the template of its route."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.instruments import METHODS, OTHER, Instruments, Stopwatch

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

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._instruments.answered(known_method(scope), route_of(scope), status, watch.seconds)


def known_method(scope: Scope) -> str:
    """The method of a request, where HTTP has such a one."""
    method: str = scope.get("method", "GET")  # a WebSocket begins as one
    return method if method in METHODS else OTHER


def route_of(scope: Scope) -> str:
    """The template of the route that was found for a request; never the path that was asked for."""
    return getattr(scope.get("route"), "path", NO_ROUTE)

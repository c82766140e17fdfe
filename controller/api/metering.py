"""Each request is counted when its answer has ended, by the template of its route; a WebSocket as it begins."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.instruments import METHODS, OTHER, Instruments, Stopwatch

STREAM = b"text/event-stream"
UPGRADED = 101
CLOSED = 403  # what the server makes of a WebSocket that is closed before it is one
NO_ROUTE = "none"  # nothing is at that address, whatever it was


class _Answer:
    """What is known of an answer so far."""

    def __init__(self) -> None:
        self.status = 500  # unless one is sent
        self.is_counted = False
        self._watch = Stopwatch()
        self._began: float | None = None  # of a stream, which lasts as long as somebody watches

    @property
    def seconds(self) -> float:
        return self._watch.seconds if self._began is None else self._began

    def note(self, message: Message) -> None:
        """Take in what is sent."""
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                if _is_stream(message):
                    self._began = self._watch.seconds
            case "websocket.accept":
                self.status = UPGRADED
            case "websocket.close" if self.status != UPGRADED:  # before there is one
                self.status = CLOSED


class Metered:
    """An application whose answers are counted; it is around everything else, so that no answer is missed."""

    def __init__(self, app: ASGIApp, instruments: Instruments) -> None:
        self._app = app
        self._instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer = _Answer()

        async def noting(message: Message) -> None:
            answer.note(message)
            if answer.status == UPGRADED:  # it lasts as long as somebody watches, and is one already
                self._count(scope, answer)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            if answer.status != UPGRADED:
                self._count(scope, answer)

    def _count(self, scope: Scope, answer: _Answer) -> None:
        if not answer.is_counted:
            answer.is_counted = True
            self._instruments.answered(known_method(scope), route_of(scope), answer.status, answer.seconds)


def known_method(scope: Scope) -> str:
    """The method of a request, where HTTP has such a one."""
    method: str = scope.get("method", "GET")  # a WebSocket begins as one
    return method if method in METHODS else OTHER


def route_of(scope: Scope) -> str:
    """The template of the route that was found for a request, as the API's description has it; never the path asked for."""
    return getattr(scope.get("route"), "path_format", NO_ROUTE)


def _is_stream(message: Message) -> bool:
    said = (value for name, value in message.get("headers", ()) if name == b"content-type")
    return next(said, b"").startswith(STREAM)

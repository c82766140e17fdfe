"""Puts on each answer what all of them carry. HEAD is answered here too, as GET without its body."""

from functools import lru_cache

from controller.api import headers
from controller.api.edge.asgi import BEGINNINGS, App, Message, Receive, Scope, Send

_Headers = list[tuple[bytes, bytes]]


def _raw(named: dict[str, str]) -> _Headers:
    return [(name.lower().encode(), value.encode()) for name, value in named.items()]


SHAPES = 256  # of answers: by the names of their headers, which are few
_PLAIN, _TLS = tuple(_raw(headers.ALWAYS)), tuple(_raw(headers.ALWAYS | headers.TLS_ONLY))
_POLICY, _NOT_KEPT, _ASKED_AGAIN = (
    _raw(each) for each in (headers.UNLESS_SAID, headers.NOT_KEPT, headers.ASKED_AGAIN)
)


class Answers:
    """Adds these headers to each answer as it begins."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        always = _TLS if scope.get("scheme") in ("https", "wss") else _PLAIN

        async def add(message: Message) -> None:
            if message["type"] in BEGINNINGS:
                message["headers"] = _whole(message.get("headers", []), always)
            await send(message)

        if scope.get("method") != "HEAD":  # nor is it the one of a WebSocket
            await self._app(scope, receive, add)
            return
        bodiless = _Bodiless(receive, add)
        inner: Scope = {**scope, "method": "GET"}
        try:
            await self._app(inner, bodiless.receive, bodiless.send)
        finally:  # whoever counts outside asks which route it was
            if "route" in inner:
                scope["route"] = inner["route"]


class _Bodiless:
    """An answer without its body. One that would go on is over as it begins: to it its reader has gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_over = False

    async def receive(self) -> Message:
        return {"type": "http.disconnect"} if self._is_over else await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._is_over:
            self._is_over = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _whole(said: _Headers, always: tuple[tuple[bytes, bytes], ...]) -> _Headers:
    return [*said, *_lacking(tuple([name for name, _ in said]), always)]


@lru_cache(SHAPES)
def _lacking(names: tuple[bytes, ...], always: tuple[tuple[bytes, bytes], ...]) -> _Headers:
    """What an answer with headers of these names has to carry beside them."""
    kept: _Headers = []
    if b"cache-control" not in names:
        kept = _ASKED_AGAIN if b"etag" in names else _NOT_KEPT
    policy = [] if b"content-security-policy" in names else _POLICY
    return [*(each for each in always if each[0] not in names), *policy, *kept]

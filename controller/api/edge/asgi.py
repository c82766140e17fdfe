"""Small words of ASGI that all of the edge shares."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import Response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BEGINNINGS = frozenset({"http.response.start", "websocket.http.response.start"})  # of an answer
FRAMING = frozenset({b"content-length", b"transfer-encoding"})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name, which is small letters."""
    for each, value in scope["headers"]:  # asked at every request
        if each == name:
            found: bytes = value
            return found
    return None


async def refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    """Answer in the application's place. A connection with a body that nobody reads ends with it."""
    if scope["type"] == "websocket":
        await _turn_away(scope, receive, send, answer)
        return
    if any(name in FRAMING and value != b"0" for name, value in scope["headers"]):
        answer.headers["connection"] = "close"
    await answer(scope, receive, send)


async def _turn_away(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    await receive()  # that it would like to connect
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    await send(
        {
            "type": "websocket.http.response.start",
            "status": answer.status_code,
            "headers": answer.raw_headers,
        }
    )
    await send({"type": "websocket.http.response.body", "body": bytes(answer.body)})

"""How many are here at once: so many are served, some more are told that it is full, and the rest is cut.

Uvicorn's own limit answers by itself, without a word of ours, and to whoever asks whether the program lives.
"""

from uvicorn.server import ServerState

from controller.api import problems
from controller.api.edge import asgi
from controller.api.edge.asgi import BEGINNINGS, App, Message, Receive, Scope, Send
from schemas.errors import ErrorCode

ROOM, IS_LATE = "room", "is_late"  # of what the application is told of its connection
ALIVE = "/healthz"  # to be asked when it is full too: a restart would help nobody
COME_BACK = 5  # seconds
_CLOSE = (b"connection", b"close")


class Room:
    """Of one server: `served` connections and requests at work, and `beyond` more that hear that it is full."""

    def __init__(self, state: ServerState, *, served: int, beyond: int) -> None:
        self._state = state
        self._served = served
        self._most = served + beyond

    def is_full(self) -> bool:
        """More connections are open than are served."""
        return len(self._state.connections) > self._served

    def is_busy(self) -> bool:
        """More requests are at work than there may be: also those whose caller has gone."""
        return len(self._state.tasks) > self._served

    def is_over(self) -> bool:
        """There is not even room to be told so."""
        return max(len(self._state.connections), len(self._state.tasks)) > self._most


class Full:
    """Tells who came when it was full to come back. Who was here before goes on, unless too much is at work."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.get("state", {})  # none of another server's
        room: Room | None = state.get(ROOM)
        if room is None or not (room.is_busy() or (state[IS_LATE] and room.is_full())):
            await self._app(scope, receive, send)
            return
        if scope["path"] == ALIVE:
            await self._app(scope, receive, _ending(send))
            return
        answer = problems.problem(
            503,
            ErrorCode.BUSY,
            "As many are here as this controller serves at once; come back in a moment.",
            headers={"Retry-After": str(COME_BACK), "Connection": "close"},
        )
        await asgi.refuse(scope, receive, send, answer)


def _ending(send: Send) -> Send:
    """The connection ends with this answer, so that its place is free for the next one."""

    async def end(message: Message) -> None:
        if message["type"] in BEGINNINGS:
            message["headers"] = [*message["headers"], _CLOSE]
        await send(message)

    return end

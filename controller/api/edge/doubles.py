"""What is said once, is said once: of two who one is, or which order this is, two programs could believe another one."""

from controller.api import problems
from controller.api.edge import asgi
from controller.api.edge.asgi import App, Receive, Scope, Send
from schemas.errors import ErrorCode

ONCE = {  # as it is received, and as it is written
    b"authorization": "Authorization",
    b"content-type": "Content-Type",
    b"idempotency-key": "Idempotency-Key",
    b"last-event-id": "Last-Event-ID",
    b"origin": "Origin",
}


class Doubles:
    """Lets requests through that have none of these headers twice, whether or not both say the same."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = scope["headers"]
        twice = None if len(dict(said)) == len(said) else _twice([name for name, _ in said])  # mostly none is
        if twice is None:
            await self._app(scope, receive, send)
            return
        answer = problems.problem(
            400, ErrorCode.INVALID_ARGUMENTS, f"{twice} comes more than once; which one counts is not clear."
        )
        await asgi.refuse(scope, receive, send, answer)


def _twice(names: list[bytes]) -> str | None:
    return next((written for name, written in ONCE.items() if names.count(name) > 1), None)

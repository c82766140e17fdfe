"""How often one address asks, before anything is looked at: also whoever shows no token, or a wrong one."""

from controller.api import problems
from controller.api.access.addresses import subscriber
from controller.api.access.buckets import Buckets, TooOften
from controller.api.edge import asgi
from controller.api.edge.asgi import App, Receive, Scope, Send


class Rates:
    """Lets an address ask as often as its bucket has room. A stream, or a request that waits, is one request."""

    def __init__(self, app: App, *, buckets: Buckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        wait_s = self._buckets.take("" if client is None else subscriber(client[0]))
        if not wait_s:
            await self._app(scope, receive, send)
            return
        answer = problems.of(TooOften("Too many requests from this address", wait_s))
        await asgi.refuse(scope, receive, send, answer)

"""How often one address asks, before anything is looked at: also whoever shows no token, or a wrong one."""

from collections.abc import Sequence

from starlette.datastructures import Headers

from controller.api import problems
from controller.api.access.addresses import subscriber
from controller.api.access.buckets import Buckets, TooOften
from controller.api.access.proxies import Network, caller
from controller.api.edge import asgi
from controller.api.edge.asgi import App, Receive, Scope, Send

# what an orchestrator asks: it must not take the program for dead since others at its address ask much. Neither
# costs more than its answer: `readiness` looks seldom, once for all who ask
UNCOUNTED = frozenset({"/healthz", "/readyz"})


class Rates:
    """Lets an address ask as often as its bucket has room. A stream, or a request that waits, is one request."""

    def __init__(self, app: App, *, buckets: Buckets, trusted: Sequence[Network] = ()) -> None:
        self._app = app
        self._buckets = buckets
        self._trusted = trusted  # proxies whose word on who calls is believed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        address = "" if client is None else client[0]
        if self._trusted:
            address = caller(address, Headers(scope=scope), self._trusted)
        wait_s = self._buckets.take(subscriber(address))
        if not wait_s:
            await self._app(scope, receive, send)
            return
        answer = problems.of(TooOften("Too many requests from this address", wait_s))
        await asgi.refuse(scope, receive, send, answer)

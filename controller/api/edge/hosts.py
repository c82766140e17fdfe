"""Whom a request names: a page that has its own name point to this machine gets no answer (421).

A browser sends the name that it believes to talk to. An address is no name: nobody can have it point
elsewhere. Names that a proxy says in other headers are not believed.
"""

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from controller.api import problems
from controller.api.edge import asgi
from controller.api.edge.asgi import App, Receive, Scope, Send
from schemas.errors import ErrorCode

ALWAYS = frozenset({"localhost"})
REMEMBERED = 256  # names that were looked at


def own_names(host: str, more: Iterable[str]) -> frozenset[str]:
    """The names of a controller that listens on `host`, with those it was told."""
    named = (host, socket.gethostname(), *more)
    return ALWAYS | {_plain(each) for each in named if each}


class Hosts:
    """Lets requests through that name this controller by one of its `names`, or by an address."""

    def __init__(self, app: App, *, names: frozenset[str]) -> None:
        self._app = app
        self._names = names
        self._is_ours = lru_cache(REMEMBERED)(self._look)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = asgi.header(scope, b"host")
        if named is None or self._is_ours(named):  # a browser always names somebody
            await self._app(scope, receive, send)
            return
        said = "This controller is not known by the name you asked for; ORION_HTTP_NAMES adds one."
        answer = problems.problem(421, ErrorCode.INVALID_ARGUMENTS, said)
        await asgi.refuse(scope, receive, send, answer)

    def _look(self, named: bytes) -> bool:
        name = _plain(_without_port(named.decode("latin-1")))
        if name in self._names or name.endswith(".localhost"):
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _without_port(named: str) -> str:
    name, colon, port = named.rpartition(":")
    return name if colon and port.isdecimal() and "]" not in port else named


def _plain(name: str) -> str:
    return name.strip().rstrip(".").lower()

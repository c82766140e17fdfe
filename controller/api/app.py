"""The HTTP application and its server: built from the controller's parts, bound to one address."""

import contextlib
import errno
import logging
import mimetypes
import os
import socket
import time
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.api import description, descriptors, problems, routing
from controller.api.deps import Parts
from controller.api.edge import layers
from controller.api.edge.asgi import App
from controller.api.edge.connections import Connection
from controller.api.edge.handshakes import Upgraded
from controller.api.edge.room import ROOM, Room
from controller.api.live import websocket
from controller.api.live.hub import READERS
from controller.api.metering import Metered
from controller.api.readiness import Probes
from controller.api.routes import (
    approvals,
    archive,
    ask,
    audit,
    auth,
    certificates,
    commands,
    device_page,
    devices,
    docs,
    events,
    examinations,
    grants,
    history,
    identities,
    joining,
    keys,
    links,
    memory,
    metrics,
    oauth,
    offers,
    oidc,
    policies,
    probes,
    proof,
    provider_identities,
    schedules,
    search,
    sessions,
    signing_keys,
    stats,
    stream,
    system,
    traces,
    users,
)
from controller.api.tracing import Traced
from controller.errors import OrionError

logger = logging.getLogger(__name__)

STOP_WITHIN = 2  # seconds that open requests get at the end
READERS_AT_LEAST = 20  # however few connections the system allows
CONNECTIONS = 200  # at once, beside those that watch
BEYOND = 100  # more that hear that there is no room; what comes beyond them is cut
PING_EVERY = 15.0  # seconds, of a WebSocket; one that does not answer for as long has gone
BACKLOG = 128  # callers that wait to be let in
KINDS = (  # of routes, as the API's description lists them; what is asked most is found first
    commands,
    devices,
    oauth,
    oidc,
    auth,
    proof,
    ask,
    policies,
    offers,
    links,
    history,
    identities,
    examinations,
    joining,
    certificates,
    signing_keys,
    approvals,
    schedules,
    traces,
    memory,
    sessions,
    audit,
    archive,
    events,
    search,
    stats,
    stream,
    system,
    users,
    provider_identities,
    grants,
    keys,
    docs,
    probes,
    metrics,
    device_page,
)


class AddressTaken(OrionError):
    """Another program listens where the API should."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Port {port} on {host} is taken by another program. Stop it, or choose another with ORION_HTTP_PORT."
        )


class Application(FastAPI):
    """FastAPI's own, with what is around every request outermost: no answer of any layer is missed there."""

    def build_middleware_stack(self) -> ASGIApp:
        """Everything that a request goes through, made before the first one comes."""
        parts: Parts = self.state.parts
        self.state.probes = Probes(
            parts.store, parts.assistant, reached=lambda: parts.devices_door.connected, tasks=parts.tasks
        )
        bounded = layers.around(super().build_middleware_stack(), parts.settings, time.monotonic)
        return Traced(Metered(bounded, parts.instruments), parts.spans)


def build(parts: Parts) -> FastAPI:
    """The application, under `/api/v1`; what an orchestrator asks is at the root."""
    if not mimetypes.inited:
        mimetypes.init()  # it reads files, and would at the first request for one
    app = Application(
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send whoever asks to whatever host they named
        openapi_url=None,  # `docs` gives it, off the event loop
        routes=[route for kind in KINDS for route in kind.router.routes],
    )
    app.router.default = _nowhere
    app.state.parts = parts
    description.install(app)
    problems.install(app)
    return app


async def _nowhere(scope: Scope, _receive: Receive, _send: Send) -> None:
    """What is at an address where nothing is, or no WebSocket: Starlette's own would close that without a word.

    Raises:
        HTTPException: that nothing is there.
    """
    said = None if scope["type"] == "http" else f"There is no WebSocket here; {routing.PREFIX}/stream is one."
    raise HTTPException(404, said)


def bind(host: str, port: int) -> socket.socket:
    """A socket that holds the address; port 0 takes a free one. Until `listen` whoever calls is refused at once.

    Raises:
        AddressTaken: somebody else listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two programs have one address
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise AddressTaken(host, port) from error
        raise
    return listener


def listen(listener: socket.socket) -> None:
    """Let callers in.

    Raises:
        AddressTaken: somebody else was quicker.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        host, port = listener.getsockname()[:2]
        raise AddressTaken(host, port) from error


def most_readers() -> int:
    """How many may watch the stream at once here, and leave room for everybody else."""
    wanted = CONNECTIONS + READERS + BEYOND
    room = descriptors.room_for(wanted)
    if room < wanted:
        logger.warning("The system lets the controller have %d connections open at once", room)
    return _readers(room)


def _readers(room: int) -> int:
    return max(READERS_AT_LEAST, room - CONNECTIONS - BEYOND)


class Server(uvicorn.Server):
    """Uvicorn without signal handlers: `app` decides when it stops."""

    def __init__(self, app: App) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=STOP_WITHIN,
                server_header=False,
                proxy_headers=False,  # `access.proxies` says whom to believe
                ws=Upgraded,
                ws_max_size=websocket.MAX_SIZE,
                ws_ping_interval=PING_EVERY,
                ws_ping_timeout=PING_EVERY,
                ws_per_message_deflate=False,  # it would be made anew for each of many readers
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, so many at once."""
        readers = _readers(descriptors.room_for(CONNECTIONS + READERS + BEYOND))
        self.lifespan.state[ROOM] = Room(self.server_state, served=CONNECTIONS + readers, beyond=BEYOND)
        await super().startup(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever started the program."""
        yield


def serving(parts: Parts) -> Server:
    """The application and its server; building them reads files, so call it off the event loop."""
    return Server(build(parts))

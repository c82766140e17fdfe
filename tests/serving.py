"""A server that serves beside a test, on a port of its own, and ends with it."""

import threading
from socketserver import TCPServer
from types import TracebackType
from typing import Self

LOOKS_EVERY = 0.01  # seconds, whether it is over


class Quiet:
    """What answers and says nothing of it: a test's output is its own. Stands before the library's own class."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Served:
    """A context manager around a server."""

    def __init__(self, server: TCPServer) -> None:
        self.server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(LOOKS_EVERY,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

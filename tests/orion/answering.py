"""A stand-in for the controller that says what its test wants, once it has proved to know the token."""

import http.server
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from schemas import serverproof
from tests.serving import Quiet, Served

TOKEN = "the-token-of-a-data-folder-of-which-nobody-else-knows"


class Answers(Quiet, http.server.BaseHTTPRequestHandler):
    """Answers each request alike. `heard`: the headers of the last; `asked`: what came; `told`: all of it."""

    protocol_version = "HTTP/1.1"
    token = TOKEN
    status = 200
    body = b"{}"
    more: ClassVar[dict[str, str]] = {}
    instead: tuple[int, bytes] | None = None  # of a proof
    is_ours = True
    heard: dict[str, str]
    asked: list[str]
    told: bytes
    sent = b""

    def do_GET(self) -> None:
        type(self).told += bytes(self.headers) + self.sent
        parts = urlsplit(self.path)
        self.asked.append(f"{self.command} {parts.path}")
        if parts.path == "/api/v1/auth/proof":
            self.prove(parse_qs(parts.query)["nonce"][0])
        else:
            self.answer()

    def do_POST(self) -> None:
        self.sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def prove(self, nonce: str) -> None:
        """As the controller does."""
        if self.instead is not None:
            self.say(*self.instead)
            return
        host, port = self.request.getsockname()[:2]
        proof = serverproof.made(self.token, nonce, host, port)
        self.say(200, json.dumps({"proof": proof}).encode())

    def answer(self) -> None:
        """To what it was asked for then."""
        type(self).heard = dict(self.headers)
        self.say(self.status, self.body)

    def say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.is_ours:
            self.send_header("Orion-Api", "1")
        for name, value in self.more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def listening(answers: type[Answers], host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """The port of a server that answers so."""
    answers.heard, answers.asked, answers.told = {}, [], b""
    with Served(http.server.ThreadingHTTPServer((host, port), answers)) as served:
        yield served.port


def a_token(folder: Path, content: bytes = TOKEN.encode() + b"\n") -> Path:
    """The token file of a data folder, as the controller keeps it."""
    path = folder / "controller" / "token"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path

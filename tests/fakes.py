"""Stand-ins for what cannot run in a test: a language model.

`ScriptedOllama` is a real HTTP server on a loopback port, for the real client: it
plays one scripted reply a chat request and remembers what it was asked.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from tests.serving import Quiet, Served

MODEL = "scripted:latest"

Ending = Literal["clean", "cut", "silent_cut", "hang"]


@dataclass(frozen=True)
class Scripted:
    """One answer. `cut` breaks the chunked body off, `silent_cut` an unframed one, `hang` never ends."""

    body: tuple[bytes, ...] = ()
    status: int = 200
    ending: Ending = "clean"
    headers: tuple[tuple[str, str], ...] = ()
    is_silent: bool = False  # not even a status line


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


Line = dict[str, Any]
Reply = Scripted | Callable[[dict[str, Any]], Scripted]


def line(content: str = "", **more: Any) -> Line:
    """One line of a stream that goes on; `thinking` and `tool_calls` join the message."""
    return {"model": MODEL, "message": {"role": "assistant", "content": content, **more}, "done": False}


def last(content: str = "", *, done_reason: str = "stop", **more: Any) -> Line:
    """The line with the end marker."""
    counts = {"prompt_eval_count": 26, "eval_count": 7}
    return {**line(content, **more), "done": True, "done_reason": done_reason, **counts}


def call(name: str, arguments: Any) -> dict[str, Any]:
    """One entry of `tool_calls`."""
    return {"function": {"name": name, "arguments": arguments}}


def plays(*lines: Line | bytes, ending: Ending = "clean", **more: Any) -> Scripted:
    """A stream of these lines; bytes go out as they are, without a line end."""
    body = tuple(
        item if isinstance(item, bytes) else json.dumps(item, ensure_ascii=False).encode() + b"\n"
        for item in lines
    )
    return Scripted(body, ending=ending, **more)


def says(text: str, *, thinking: str = "") -> Scripted:
    """A plain answer, a word at a time."""
    words = text.split(" ")
    pieces = [word if at == 0 else f" {word}" for at, word in enumerate(words)]
    thoughts = [line(thinking=thinking)] if thinking else []
    return plays(*thoughts, *(line(piece) for piece in pieces), last())


def calls(
    *wanted: tuple[str, Any], where: Literal["own_line", "last_line"] = "own_line", thinking: str = ""
) -> Scripted:
    """Tool calls in either of the two forms that models deliver them in."""
    tool_calls = [call(name, arguments) for name, arguments in wanted]
    thoughts = [line(thinking=thinking)] if thinking else []
    if where == "last_line":
        return plays(*thoughts, last(tool_calls=tool_calls))
    return plays(*thoughts, *(line(tool_calls=[one]) for one in tool_calls), last())


def refuses(status: int, error: Any) -> Scripted:
    """An HTTP error as Ollama words it."""
    return Scripted((json.dumps({"error": error}).encode(),), status=status)


def never_answers() -> Scripted:
    """Takes the request and says nothing until the server stops."""
    return Scripted(is_silent=True)


class ScriptedOllama(Served):
    """A context manager; `url` is where it listens.

    A request beyond the script is answered 500, "the script has ended". `asked` holds
    every request, `chats` the bodies of those to `/api/chat`.
    """

    def __init__(self, *replies: Reply, models: Iterable[str] = (MODEL,), has_list: bool = True) -> None:
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        self.models = tuple(models)
        self.has_list = has_list
        self.vectors: list[list[float]] | None = None  # None: one a text
        self._replies: list[Reply] = list(replies)
        self._lock = threading.Lock()
        server = _Server(("127.0.0.1", 0), _Handler)
        server.ollama = self
        super().__init__(server)

    @property
    def chats(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.asked if asked.path == "/api/chat"]

    def then(self, *replies: Reply) -> None:
        """Add to the script."""
        with self._lock:
            self._replies.extend(replies)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()  # who hangs goes on
        super().__exit__(kind, error, trace)

    def answer(self, asked: Asked) -> Scripted:
        """The reply to one request."""
        with self._lock:
            self.asked.append(asked)
            if asked.path == "/api/chat":
                reply = self._replies.pop(0) if self._replies else refuses(500, "the script has ended")
                return reply if isinstance(reply, Scripted) else reply(asked.body)
        model = asked.body.get("model", "")
        if asked.path == "/api/tags" and self.has_list:
            return _json({"models": [{"name": name, "model": name} for name in self.models]})
        if asked.path == "/api/show" and model in self.models:
            return _json({"capabilities": ["completion", "tools"], "model_info": {}})
        if asked.path == "/api/embed" and model in self.models:
            one_each = [[float(len(text)), 1.0] for text in asked.body["input"]]
            return _json({"model": model, "embeddings": one_each if self.vectors is None else self.vectors})
        return refuses(404, f"model '{model}' not found" if model else "no such page")


def _json(value: Mapping[str, Any]) -> Scripted:
    return Scripted((json.dumps(value).encode(),), headers=(("Content-Type", "application/json"),))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    ollama: ScriptedOllama


class _Handler(Quiet, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._serve(json.loads(self.rfile.read(length) or b"{}"))

    def _serve(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        scripted = self.server.ollama.answer(Asked(self.path, headers, body))
        self.close_connection = True
        try:
            self._play(scripted)
        except OSError:
            return  # the client has gone, as several tests want

    def _play(self, scripted: Scripted) -> None:
        if scripted.is_silent:
            self.server.ollama.stopping.wait()
            return
        is_framed = scripted.ending != "silent_cut"
        self.send_response(scripted.status)
        for name, value in (("Connection", "close"), *scripted.headers):
            self.send_header(name, value)
        if is_framed:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._write(scripted.body, is_framed=is_framed)
        if scripted.ending == "hang":
            self.server.ollama.stopping.wait()
        elif scripted.ending == "clean":
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, body: Sequence[bytes], *, is_framed: bool) -> None:
        for piece in body:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_framed else piece)
            self.wfile.flush()

"""Many connections that ask one thing again and again: each as soon as it is answered, or at a pace.

A client of its own: one that parses more would be what is measured.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast

END = b"\r\n\r\n"
LENGTH = b"content-length:"


class Wrong(Exception):
    """An answer was not what was asked for; its figure would be of something else."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request as its bytes, and how its answer begins."""

    port: int
    request: bytes
    status: bytes = b"HTTP/1.1 200"

    @classmethod
    def get(cls, port: int, path: str, token: str = "") -> "Question":
        """A GET of this path."""
        shown = f"Authorization: Bearer {token}\r\n" if token else ""
        return cls(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{shown}\r\n".encode())


@dataclass
class Answers:
    """What came of it: each latency in ms, and how long all of it took in s."""

    latencies: list[float] = field(default_factory=list)
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.took


class _Line(asyncio.Protocol):
    """One connection: asks while there is time."""

    def __init__(self, question: Question, answers: Answers, until: float, every_s: float) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._question = question
        self._answers = answers
        self._until = until
        self._every_s = every_s
        self._held = bytearray()
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._held += data
        head = self._held.find(END)
        if head < 0:
            return
        lines = bytes(self._held[:head]).lower()
        at = lines.find(LENGTH)
        if at < 0 or not self._held.startswith(self._question.status):
            self._end(Wrong(bytes(self._held[:300]).decode(errors="replace")))
            return
        length = int(lines[at + len(LENGTH) :].split(b"\r\n", 1)[0])
        if len(self._held) < head + len(END) + length:
            return
        self._held.clear()
        now = time.perf_counter()
        self._answers.latencies.append((now - self._asked) * 1000)
        following = max(now, self._asked + self._every_s)
        if following >= self._until:
            self._end(None)
        elif following == now:
            self._ask()
        else:
            asyncio.get_running_loop().call_later(following - now, self._ask)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(Wrong(f"the connection was lost: {error}"))

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._question.request)

    def _end(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None) if error is None else self.over.set_exception(error)
        self._transport.close()


async def call(question: Question, *, connections: int, seconds: float, every_s: float = 0.0) -> Answers:
    """Ask on so many connections for so long; `every_s`: seconds between two questions on one of them.

    Raises:
        Wrong: it was answered with something else.
    """
    loop = asyncio.get_running_loop()
    answers, begun = Answers(), time.perf_counter()
    lines: list[_Line] = []
    for number in range(connections):
        await asyncio.sleep(every_s / connections if number else 0)  # nobody keeps step with the others
        _, line = await loop.create_connection(
            lambda: _Line(question, answers, begun + seconds, every_s), "127.0.0.1", question.port
        )
        lines.append(line)
    await asyncio.gather(*(line.over for line in lines))
    answers.took = time.perf_counter() - begun
    return answers

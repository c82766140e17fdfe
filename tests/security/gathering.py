"""Everything that an installation lets be seen, piece by piece, and the search for secrets in it."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psutil

from tests.security.in_use import Secret

LOOK_EVERY = 0.02  # seconds between two looks at the processes: a short command lives some 200 ms
LOOKS = 10  # at one process: it may become another program after its start
SPACE = re.compile(rb"\s+|[\xe2\x94\x82]")


@dataclass
class Gathered:
    """Pieces of output, by where they were seen."""

    pieces: dict[str, bytes] = field(default_factory=dict)

    def add(self, where: str, seen: str | bytes) -> None:
        """Another piece; what comes from one place is kept together."""
        more = seen.encode(errors="surrogateescape") if isinstance(seen, str) else seen
        self.pieces[where] = self.pieces.get(where, b"") + more + b"\n"

    def leaks(self, secrets: Iterable[Secret]) -> list[str]:
        """`which secret in which piece`, for each that is found. Never the secret itself."""
        # a table or a log may break a long word
        searched = {where: (seen, SPACE.sub(b"", seen)) for where, seen in self.pieces.items()}
        return sorted(
            {
                f"{secret.name} in {where}"
                for secret in secrets
                for form in secret.forms()
                for where, looks in searched.items()
                if any(form in look for look in looks)
            }
        )


class Sampler:
    """Looks at all processes again and again: their command lines, and of our children the environment."""

    def __init__(self, ours: Callable[[], set[int]]) -> None:
        self._ours = ours  # the programs that we have started
        self.command_lines: set[str] = set()
        self.environments: dict[str, set[str]] = {}
        self.core_limits: dict[str, int] = {}
        self._looks: dict[psutil.Process, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            for process in psutil.process_iter():
                looks = self._looks.get(process, 0)
                if looks < LOOKS:
                    self._looks[process] = looks + 1
                    with contextlib.suppress(psutil.Error, OSError):  # it ended while we looked
                        self._look(process)

    def _look(self, process: psutil.Process) -> None:
        words = process.cmdline()
        self.command_lines.add("\n".join(words))
        program = _program(words)
        if program is not None and self._ours() & {each.pid for each in process.parents()}:
            seen = self.environments.setdefault(program, set())
            seen |= {f"{name}={value}" for name, value in process.environ().items()}
            self.core_limits[f"{program} {process.pid}"] = process.rlimit(psutil.RLIMIT_CORE)[0]


def _program(words: list[str]) -> str | None:
    """Which of our children it is: they get what they need of the environment and no more."""
    if words[:1] and words[0].endswith("mosquitto"):
        return "mosquitto"
    if "--led" in words:
        return words[words.index("orion") + 1]
    return "tool" if words[:1] and words[0].endswith("sleep") else None

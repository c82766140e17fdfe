"""The programs of one installation as children: started in order, kept alive, stopped in reverse.

A child is asked to stop by closing its stdin, which works on every system and happens by
itself when this process dies, however it dies: nothing is ever left running.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orion.config.sources import FILE_VARIABLE, Loaded, Origin, variable
from orion.verbs import Failure

logger = logging.getLogger(__name__)

READY_WITHIN = 30.0  # seconds from the start of a program
STOP_WITHIN = 5.0  # seconds for all of them together
# Seconds of those that are left for the others, when one takes its time.
RESERVED = {"node": 1.7, "controller": 0.9, "broker": 0.2}
STABLE_AFTER = 60.0  # seconds; one that lived longer starts again at once
LONGEST_PAUSE = 30.0  # seconds before another attempt
FIRST_PAUSE = 0.5
RESTART = 75  # exit code: start me again
# Settings that may hold a secret, and whose they are.
USED_BY = {
    "mqtt_url": ("controller", "node"),
    "mqtt_admin_password": ("controller",),
    "database_url": ("controller",),
    "ollama_host": ("controller",),
    "ollama_api_key": ("controller",),
    "oidc_client_secret": ("controller",),
    "node_password": ("node",),
    "otel_endpoint": ("controller", "node"),
    "sentry_dsn": ("broker", "controller", "node"),
    "url": (),  # it is for the command line
}
# Variables of others that may hold one, and whose they are.
OTHERS = {
    "OTEL_EXPORTER_OTLP_HEADERS": ("controller", "node"),
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": ("controller", "node"),
}
MAX_LINE = 1024 * 1024  # bytes of a log line

Sink = Callable[[str, str], None]  # which program, its line


@dataclass(slots=True)
class Child:
    """One program while it runs."""

    name: str
    process: Process
    ready: asyncio.Future[dict[str, Any]]
    begun: bool = False
    readers: list[asyncio.Task[None]] = field(default_factory=list)


class Crew:
    """The children of one installation. `start` each, `watch` them, `stop`."""

    def __init__(self, loaded: Loaded, sink: Sink, environment: Mapping[str, str] | None = None) -> None:
        self._environment = _passed_on(loaded, os.environ if environment is None else environment)
        self._sink = sink
        self._children: dict[str, Child] = {}
        self._stopping = False

    @property
    def pids(self) -> dict[str, int]:
        """The process of each program."""
        return {name: child.process.pid for name, child in self._children.items()}

    async def load(self, names: Sequence[str]) -> None:
        """Have programs load themselves side by side; each begins when it is started."""
        for name in names:
            self._children[name] = await self._spawn(name)

    async def start(self, name: str) -> dict[str, Any]:
        """Let a program begin and return what it says once it is ready.

        Raises:
            Failure: it ended, with its own sentence, or was not ready in time.
        """
        child = self._children.get(name)
        if child is None or child.begun:
            child = self._children[name] = await self._spawn(name)
        child.begun = True
        if child.process.stdin is not None:
            child.process.stdin.write(b"begin\n")
        try:
            async with asyncio.timeout(READY_WITHIN):
                return await asyncio.shield(child.ready)
        except TimeoutError:
            raise Failure(f"The {name} was not ready within {READY_WITHIN:.0f} s.") from None

    async def _spawn(self, name: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no module is taken from the folder that we happen to stand in
            "-m",
            "orion",
            name,
            "--json",
            "--led",
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=for_program(name, self._environment),
            start_new_session=True,  # a Ctrl-C is for us; we stop them in order
            limit=MAX_LINE,
        )
        child = Child(name, process, asyncio.get_running_loop().create_future())
        child.readers = [
            asyncio.create_task(self._listen(child), name=f"{name}-stdout"),
            asyncio.create_task(self._relay(child), name=f"{name}-stderr"),
        ]
        return child

    async def watch(self) -> None:
        """Start again whatever dies, after growing waits, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in list(self._children):
                group.create_task(self._keep(name), name=f"keep-{name}")

    async def stop(self) -> None:
        """Stop all in reverse order, within `STOP_WITHIN`; what does not end by itself is ended."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_WITHIN
        for name, child in reversed(list(self._children.items())):
            if child.process.stdin is not None:
                child.process.stdin.close()
            left = deadline - RESERVED[name] - loop.time()
            try:
                async with asyncio.timeout(max(0.1, left)):
                    await child.process.wait()
            except TimeoutError:
                logger.warning("Ended the %s, which did not stop by itself", name)
                kill(child.process)
                await child.process.wait()
            await self._settle(child)
        self._children.clear()

    def kill(self) -> None:
        """End all at once."""
        for child in self._children.values():
            kill(child.process)

    async def _keep(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            since = loop.time()
            child = self._children[name]
            code = await child.process.wait()
            await self._settle(child)
            if loop.time() - since > STABLE_AFTER:
                pause = FIRST_PAUSE
            if code == RESTART:
                logger.info("Starting the %s again, as it asked", name)
            else:
                logger.warning(
                    "The %s ended with exit code %s; starting it again in %.1f s", name, code, pause
                )
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            try:
                await self.start(name)
            except Failure as failure:
                logger.warning("The %s did not start: %s", name, failure)

    async def _listen(self, child: Child) -> None:
        """The one object a program says on stdout: that it is ready, or why it is not."""
        said: dict[str, Any] = {}
        async for line in _lines(child.process.stdout):
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                said = found if isinstance(found, dict) else {}
            if said.get("state") == "ready" and not child.ready.done():
                child.ready.set_result(said)
        if not child.ready.done():
            error = said.get("error") or {}
            sentence = (
                error.get("message") or f"The {child.name} ended before it was ready; its log lines say why."
            )
            child.ready.set_exception(Failure(sentence, code=error.get("code", "failed")))
            child.ready.exception()  # seen: nobody may be waiting any more

    async def _relay(self, child: Child) -> None:
        async for line in _lines(child.process.stderr):
            self._sink(child.name, line)

    async def _settle(self, child: Child) -> None:
        # a grandchild that holds the pipes must not hold us
        _, late = await asyncio.wait(child.readers, timeout=1.0)
        for reader in late:
            reader.cancel()
        await asyncio.gather(*child.readers, return_exceptions=True)


def kill(process: Process) -> None:
    """End a child and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:  # longer than any line should be: its beginning is dropped
            continue
        if not line:
            return
        yield line.decode(errors="replace").rstrip("\n")


def for_program(program: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the secrets that are for other programs."""
    kept_back = {variable(name) for name, users in USED_BY.items() if program not in users}
    kept_back |= {name for name, users in OTHERS.items() if program not in users}
    return {name: value for name, value in environment.items() if name not in kept_back}


def _passed_on(loaded: Loaded, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with what was said by flags, so that a child reads the same settings."""
    passed = dict(environment)
    for name, origin in loaded.origins.items():
        if origin is Origin.FLAG:
            passed[variable(name)] = _text(getattr(loaded.settings, name))
    if loaded.file is not None:
        passed[FILE_VARIABLE] = str(loaded.file)
    passed[variable("data_dir")] = str(loaded.settings.data_dir)
    return passed


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return os.pathsep.join(str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)

"""Mosquitto as a child: started, proven to work, restarted when it dies, stopped.

It is ready when a message came back, not when a process exists. One supervisor per
folder: a lock says so, and a Mosquitto that a killed one left behind is stopped first.
"""

import asyncio
import contextlib
import ctypes
import logging
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from broker import binary, config, files, process
from broker.binary import BrokerUnavailable
from broker.identities import Credentials, Identities
from broker.probe import ProbeFailed, probe
from broker.session import Backoff
from broker.settings import BrokerSettings

logger = logging.getLogger(__name__)

_ANY_IPV4 = "0.0.0.0"  # noqa: S104  # nosec B104 # compared, not bound

PROBE_EVERY = 0.05  # seconds between two probes of a broker that is starting
STABLE_AFTER = 60.0  # seconds; a broker that lived longer starts again at once
LOOPING_AFTER = 4  # deaths in a row that are more than bad luck
LAST_WORDS_WITHIN = 1.0  # seconds to read the rest of its log after its end
TAIL = 20  # lines of Mosquitto's log that are kept for an error
PROBE_NAME = "probe.supervisor"
_PR_SET_PDEATHSIG = 1


class Supervisor:
    """One Mosquitto for one folder. `start`, then `watch` until cancelled, then `stop`."""

    def __init__(self, settings: BrokerSettings, *, backoff: Backoff | None = None) -> None:
        self.settings = settings
        self.identities = Identities(settings.directory, prefix=settings.prefix)
        self.restarts = 0
        self._backoff = backoff or Backoff()
        self._child: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._held = contextlib.ExitStack()
        self._program = Path()
        self._config = Path()
        self._probing = Credentials("", "")

    @property
    def pid(self) -> int | None:
        """The process id of the running Mosquitto."""
        return None if self._child is None or self._child.returncode is not None else self._child.pid

    async def start(self) -> None:
        """Prepare the folder, start Mosquitto and return once a message came back.

        Raises:
            BrokerUnavailable: not installed, the port is taken, another supervisor runs
                here, or it died or said nothing while starting; with the remedy.
        """
        try:
            await asyncio.to_thread(self._prepare)
            await self._launch()
        except BaseException:
            await self.stop()
            raise
        logger.info("Broker ready on %s:%d", self.settings.host, self.settings.port)

    async def watch(self) -> None:
        """Restart Mosquitto whenever it dies, after growing waits, until cancelled."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            began = loop.time()
            if self._child is not None:
                code = await self._child.wait()
                await self._settle()
                deaths = 0 if loop.time() - began >= STABLE_AFTER else deaths
                deaths += 1
                self._report(code, deaths)
            await asyncio.sleep(self._backoff.delay(deaths - 1, not_let_in=False))
            try:
                await self._launch()
            except BrokerUnavailable as error:
                deaths += 1
                logger.error("Broker did not start again: %s", error)  # noqa: TRY400 - the sentence says it all
            else:
                self.restarts += 1
                logger.info("Broker ready again on %s:%d", self.settings.host, self.settings.port)

    async def stop(self) -> None:
        """Ask Mosquitto to save and end; end it when it does not. Safe to call twice."""
        child = self._child
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                async with asyncio.timeout(self.settings.stop_within_s):
                    await child.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        await self._settle()
        self._held.close()

    def _prepare(self) -> None:
        self._program = binary.find(self.settings.binary)
        directory = self.settings.directory
        files.make_private_directory(directory)
        try:
            self._held.enter_context(files.locked(directory / "supervisor.lock", within_s=0))
        except files.Locked as error:
            raise BrokerUnavailable(
                f"another broker runs for {self.settings.data_dir} already; stop that one, or use another data folder"
            ) from error
        self._config = config.write(self.settings)
        self.identities.ensure_probes()
        self._probing = self.identities.kept(PROBE_NAME)
        leftover = process.running(directory)
        if leftover is not None:
            logger.warning("Stopping a Mosquitto that an earlier run left behind, pid %d", leftover.pid)
            process.stop(leftover, within_s=self.settings.stop_within_s)

    async def _launch(self) -> None:
        settings = self.settings
        await asyncio.to_thread(_check_port, settings.host, settings.port)
        self._tail.clear()
        try:
            self._child = await asyncio.create_subprocess_exec(
                self._program,
                "-c",
                str(self._config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=_die_with_parent(),
            )
        except OSError as error:
            raise BrokerUnavailable(f"{self._program} cannot be started: {error.strerror}") from error
        self._reader = asyncio.create_task(self._read(self._child), name="mosquitto-log")
        await self._until_it_answers(self._child)
        # Not earlier: a SIGHUP that comes before Mosquitto listens for it would end it. What
        # changed in the identities meanwhile is read now.
        await asyncio.to_thread(files.replace, settings.pid_path, f"{self._child.pid}\n")
        await asyncio.to_thread(self.identities.reload)

    async def _until_it_answers(self, child: asyncio.subprocess.Process) -> None:
        reason = "it said nothing"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.start_within_s
        while child.returncode is None and loop.time() < deadline:
            try:
                await probe(_reachable(self.settings.host), self.settings.port, self._probing, within_s=2.0)
            except ProbeFailed as error:
                reason = str(error)
                await asyncio.sleep(PROBE_EVERY)
            else:
                return
        if child.returncode is not None:
            await self._settle()
            reason = f"Mosquitto ended with exit code {child.returncode}"
        else:
            child.kill()
            await child.wait()
            await self._settle()
        raise BrokerUnavailable(f"the broker does not work: {reason}\n{self._last_lines()}".rstrip())

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        if child.stdout is None:
            return
        while line := await child.stdout.readline():
            text = line.decode(errors="replace").rstrip()
            self._tail.append(text)
            logger.debug("mosquitto: %s", text)

    async def _settle(self) -> None:
        """After the child's end: its last words are read and its pid means nothing any more."""
        if self._reader is not None:
            await asyncio.wait((self._reader,), timeout=LAST_WORDS_WITHIN)
            self._reader.cancel()
        self._reader = None
        self._child = None
        await asyncio.to_thread(self.settings.pid_path.unlink, missing_ok=True)

    def _report(self, code: int, deaths: int) -> None:
        if deaths < LOOPING_AFTER:
            logger.warning("Mosquitto ended with exit code %d, starting it again", code)
        else:
            logger.error(
                "Mosquitto has died %d times in a row (exit code %d); its last words:\n%s",
                deaths,
                code,
                self._last_lines(),
            )

    def _last_lines(self) -> str:
        return "\n".join(f"  {line}" for line in self._tail)


@contextlib.asynccontextmanager
async def supervised(settings: BrokerSettings) -> AsyncIterator[Supervisor]:
    """A broker that works inside the block and is gone after it."""
    supervisor = Supervisor(settings)
    await supervisor.start()
    watching = asyncio.create_task(supervisor.watch(), name="broker-watch")
    try:
        yield supervisor
    finally:
        watching.cancel()
        await asyncio.wait((watching,))
        await supervisor.stop()


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        if sys.platform != "win32":  # there it would let two programs share the port
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            who = process.listener(port)
            raise BrokerUnavailable(
                f"port {port} on {host} cannot be used ({error.strerror}{f', by {who}' if who else ''}). "
                "Choose another one (ORION_MQTT_PORT), or stop what uses it; Debian's package starts a "
                "broker of its own: sudo systemctl disable --now mosquitto"
            ) from error


def _reachable(host: str) -> str:
    return {_ANY_IPV4: "127.0.0.1", "::": "::1"}.get(host, host)


def _die_with_parent() -> Callable[[], None] | None:
    """What the child runs before it becomes Mosquitto: on Linux it then dies with us."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork, where that is safe

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask

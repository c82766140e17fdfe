"""Mosquitto as a child: started, proven to work, restarted when it dies, stopped.

It is ready when a message came back, not when a process exists. One supervisor per
folder: a lock says so, and a Mosquitto that a killed one left behind is stopped first.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

from broker import addresses, binary, config, files, launch, process, upkeep
from broker.binary import BrokerUnavailable
from broker.identities import Identities
from broker.lost import LostSessions
from broker.probe import ProbeFailed, probe
from broker.session import Backoff
from broker.settings import BrokerSettings

logger = logging.getLogger(__name__)

PROBE_EVERY = 0.05  # seconds between two probes of a broker that is starting
STABLE_AFTER = 60.0  # seconds; a broker that lived longer starts again at once
LOCK_WITHIN = 0.2  # seconds; who looks whether it is held, holds it for an instant
LOOK_EVERY = 60.0  # seconds between two looks at the certificates; one costs a few milliseconds
RESTORE_EVERY = 60.0  # seconds at least between two restarts for the sake of lost sessions
LOOPING_AFTER = 4  # deaths in a row that are more than bad luck
LAST_WORDS_WITHIN = 1.0  # seconds to read the rest of its log after its end
TAIL = 20  # lines of Mosquitto's log that are kept for an error
PROBE_NAME = "probe.supervisor"


class Supervisor:
    """One Mosquitto for one folder. `start`, then `watch` until cancelled, then `stop`.

    It knows the `controller` of that name from its first moment.
    """

    def __init__(
        self, settings: BrokerSettings, *, controller: str | None = None, backoff: Backoff | None = None
    ) -> None:
        self.settings = settings
        self.identities = Identities(settings.directory, prefix=settings.prefix)
        self.restarts = 0
        self._controller = controller
        self._backoff = backoff or Backoff()
        self._lost = LostSessions(self.identities.all)
        self._ended: asyncio.subprocess.Process | None = None  # by us, so that it restores what it lost
        self._child: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._held = contextlib.ExitStack()
        self._program = Path()
        self._config = Path()

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
        logger.info("Broker ready on %s", self._where())

    async def watch(self) -> None:
        """Restart Mosquitto whenever it dies or loses sessions, and renew its certificates, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._revive(), name="broker-revive")
            group.create_task(self._lost.sort(), name="broker-lost")
            group.create_task(self._restore(), name="broker-restore")
            if self.settings.encrypted:
                group.create_task(self._renew(), name="broker-renew")

    async def _revive(self) -> None:
        """Start Mosquitto again whenever it dies, after growing waits."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            began = loop.time()
            if (child := self._child) is not None:
                code = await child.wait()
                await self._settle()
                meant = child is self._ended
                deaths = 0 if meant or loop.time() - began >= STABLE_AFTER else deaths
                if not meant:
                    deaths += 1
                    self._report(code, deaths)
            await asyncio.sleep(self._backoff.delay(deaths - 1, not_let_in=False))
            try:
                await self._launch()
            except BrokerUnavailable as error:
                deaths += 1
                logger.warning("Broker did not start again, and is tried again: %s", error)
            else:
                self.restarts += 1
                logger.info("Broker ready again on %s", self._where())

    async def _restore(self) -> None:
        """Have Mosquitto read its sessions again when it lost some; not often, for everybody has to come back."""
        while True:
            names = await self._lost.wait()
            child = self._child
            if child is None:  # it died meanwhile, which restores them as well
                self._lost.forget()
                continue
            logger.warning(
                "Mosquitto lost the session of %s: somebody connected without a name under that client id. "
                "Starting it again, which restores them. If it goes on, let only networks you trust reach %s",
                ", ".join(names),
                self._where(),
            )
            if child.returncode is None:
                self._ended = child
            await self._end(child)
            await asyncio.sleep(RESTORE_EVERY)

    async def _renew(self) -> None:
        """Look at the certificates now and then; have Mosquitto read what was made anew.

        Often, because a clock that was wrong at the start may be set right at any moment, and
        this computer's addresses change. Mosquitto reads certificates, authority and list again
        at a SIGHUP, and those who are connected stay so.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                renewed = await asyncio.to_thread(upkeep.certify, self.settings)
            except (BrokerUnavailable, OSError) as error:
                logger.warning("The certificates cannot be renewed, which is tried again: %s", error)
                continue
            if renewed:
                logger.info("Renewed the broker's certificates")
            # not served: an earlier reload failed, and Mosquitto goes on with what it had
            if self.pid is not None and (
                renewed or not await asyncio.to_thread(upkeep.is_served, self.settings)
            ):
                await asyncio.to_thread(self.identities.reload)

    async def stop(self) -> None:
        """Ask Mosquitto to save and end; end it when it does not. Safe to call twice."""
        if self._child is not None:
            await self._end(self._child)
        await self._settle()
        self._held.close()

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        if child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            async with asyncio.timeout(self.settings.stop_within_s):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _prepare(self) -> None:
        self._program = binary.find(self.settings.binary)
        directory = self.settings.directory
        files.make_private_directory(directory)
        # Nothing is written before the lock is ours: all of it is another supervisor's until then.
        try:
            self._held.enter_context(files.locked(directory / process.LOCK_FILE, within_s=LOCK_WITHIN))
        except files.Locked as error:
            raise BrokerUnavailable(
                f"another broker runs for {self.settings.data_dir} already; stop that one, or use another data folder"
            ) from error
        launch.check_addresses(self.settings)
        self._config = config.write(self.settings)
        if self.settings.encrypted:
            upkeep.certify(self.settings)
        self.identities.ensure_probes()
        if self._controller is not None:
            self.identities.ensure(self._controller)
        leftover = process.running(directory)
        if leftover is not None:
            logger.warning("Stopping a Mosquitto that an earlier run left behind, pid %d", leftover.pid)
            process.stop(leftover, within_s=self.settings.stop_within_s)

    async def _launch(self) -> None:
        settings = self.settings
        await asyncio.to_thread(launch.check_ports, settings)
        read = await asyncio.to_thread(upkeep.state, settings)
        self._tail.clear()
        self._lost.forget()
        try:
            self._child = await asyncio.create_subprocess_exec(
                self._program,
                "-c",
                str(self._config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=launch.environment(),
                preexec_fn=launch.before(settings),
            )
        except OSError as error:
            raise BrokerUnavailable(f"{self._program} cannot be started: {error.strerror}") from error
        self._reader = asyncio.create_task(self._read(self._child), name="mosquitto-log")
        await self._until_it_answers(self._child)
        # Not earlier: a SIGHUP that comes before Mosquitto listens for it would end it. What
        # changed meanwhile is read now; if nothing did, the limit of connections stays in force,
        # which Mosquitto 2.0.11 forgets at its first reload.
        await asyncio.to_thread(files.replace, settings.pid_path, f"{self._child.pid}\n")
        if await asyncio.to_thread(upkeep.state, settings) != read:
            await asyncio.to_thread(self.identities.reload)

    async def _until_it_answers(self, child: asyncio.subprocess.Process) -> None:
        reason = "it said nothing"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.start_within_s
        while child.returncode is None and loop.time() < deadline:
            probing = await asyncio.to_thread(self.identities.kept, PROBE_NAME)  # it may be replaced
            try:
                await probe(
                    addresses.reachable(self.settings.host), self.settings.port, probing, within_s=2.0
                )
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
            self._lost.hear(text)

    async def _settle(self) -> None:
        """After the child's end: its last words are read and its pid means nothing any more."""
        if self._child is None:
            return  # also when we were refused: the pid file is of the one that runs
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

    def _where(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self.settings.addresses.values())

    def _last_lines(self) -> str:
        return "\n".join(f"  {line}" for line in self._tail)


@contextlib.asynccontextmanager
async def supervised(settings: BrokerSettings, *, controller: str | None = None) -> AsyncIterator[Supervisor]:
    """A broker that works inside the block and is gone after it."""
    supervisor = Supervisor(settings, controller=controller)
    await supervisor.start()
    watching = asyncio.create_task(supervisor.watch(), name="broker-watch")
    try:
        yield supervisor
    finally:
        watching.cancel()
        await asyncio.wait((watching,))
        await supervisor.stop()

"""A real message bus, and on it a login manager that sleeps when the test says so."""

import asyncio
import os
import select
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dbus_fast import BusType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusStr, DBusUnixFd
from dbus_fast.service import ServiceInterface, dbus_method, dbus_signal

MANAGER = "org.freedesktop.login1.Manager"


class Lock:
    """A delay lock that was handed out."""

    def __init__(self) -> None:
        self._ours, self.handed_out = os.pipe()
        self._copy_closed = False

    def is_held(self) -> bool:
        """Whether whoever asked for it still has it."""
        self._close_copy()
        poll = select.poll()
        poll.register(self._ours, select.POLLHUP)
        return not poll.poll(0)

    async def let_go(self) -> None:
        """Wait until nobody has it."""
        self._close_copy()
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._ours, gone.set)
        try:
            async with asyncio.timeout(10):
                await gone.wait()
        finally:
            loop.remove_reader(self._ours)
            os.close(self._ours)

    def _close_copy(self) -> None:
        # sending a descriptor leaves ours open; it has been sent when something else came after it
        if not self._copy_closed:
            self._copy_closed = True
            os.close(self.handed_out)


class LoginManager(ServiceInterface):
    """What of systemd's login manager a node speaks to."""

    def __init__(self) -> None:
        super().__init__(MANAGER)
        self.asked: list[tuple[str, str]] = []
        self._locks: asyncio.Queue[Lock] = asyncio.Queue()

    @dbus_method(name="Inhibit")
    def inhibit(self, what: DBusStr, _who: DBusStr, _why: DBusStr, mode: DBusStr) -> DBusUnixFd:
        lock = Lock()
        self.asked.append((what, mode))
        self._locks.put_nowait(lock)
        return lock.handed_out

    @dbus_signal(name="PrepareForSleep")
    def say(self, *, begins: bool) -> DBusBool:
        return begins

    async def lock(self) -> Lock:
        """Wait until one is asked for."""
        async with asyncio.timeout(10):
            return await self._locks.get()


@asynccontextmanager
async def message_bus(folder: Path) -> AsyncIterator[str]:
    """A bus for this test alone; its address."""
    program = shutil.which("dbus-daemon")
    if program is None:
        raise FileNotFoundError("dbus-daemon is missing: sudo apt-get install dbus-daemon")
    process = await asyncio.create_subprocess_exec(
        program,
        "--session",
        "--nofork",
        "--nopidfile",
        "--print-address=1",
        f"--address=unix:path={folder}/bus",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def login_manager(address: str) -> AsyncIterator[tuple[LoginManager, Any]]:
    """A login manager on that bus."""
    manager = LoginManager()
    bus = await MessageBus(bus_address=address, bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
    bus.export("/org/freedesktop/login1", manager)
    await bus.request_name("org.freedesktop.login1")
    try:
        yield manager, bus
    finally:
        bus.disconnect()

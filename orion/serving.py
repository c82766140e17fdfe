"""One program of an installation in this process: its loop, its signals, its word that it is ready.

It stops on SIGINT, SIGTERM or SIGHUP. As somebody's child (`led`) it begins at the first line
on stdin, when it has loaded itself already, and stops at the end of stdin, which comes also
when whoever leads is killed.
"""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from orion import logs, looking_on
from orion.verbs import Failure, Invocation

if sys.platform != "win32":
    import resource

Ready = Callable[[dict[str, Any]], None]
Program = Callable[[asyncio.Event, Ready], Coroutine[Any, Any, int]]

# A folder that nothing can be written to; what else an OSError may say is a fault of ours.
UNWRITABLE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES))
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def serve(invocation: Invocation, name: str, program: Program, *, led: bool) -> int:
    """Run `program` until it is told to stop; its exit code.

    Raises:
        Failure: its own, or the data folder has no room or may not be written.
    """
    logs.begin(invocation.settings, name)
    _leave_no_core()
    invocation.terminal.talks = not led
    if name != "node":
        # what these two keep is for nobody else; what a node makes is the user's own
        os.umask(0o077)

    def ready(facts: dict[str, Any]) -> None:
        invocation.terminal.answer({"program": name, "state": "ready"} | facts)
        # what is loaded stays: Python would look through all of it now and then, and everybody waits for that
        gc.collect()
        gc.freeze()

    async def body() -> int:
        async with stopped_by_signals() as stop:
            if led:
                begin = asyncio.Event()
                _follow(begin, stop)
                await begin.wait()
            return 0 if stop.is_set() else await program(stop, ready)

    try:
        with (
            looking_on.errors_told(invocation.settings, name),
            asyncio.Runner(loop_factory=_loop_factory(name)) as runner,
        ):
            return runner.run(body())
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        where = error.filename or invocation.settings.data_dir
        raise Failure(
            f"The {name} cannot keep what it needs ({where}: {error.strerror}). Free some room there and see that "
            "this user may write to it, or name another data folder (ORION_DATA_DIR); then start it again.",
            code="data_folder",
        ) from error


@asynccontextmanager
async def stopped_by_signals(again: Callable[[], None] = lambda: None) -> AsyncIterator[asyncio.Event]:
    """An event that the first signal to stop sets; each further one calls `again`."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def heard() -> None:
        if stop.is_set():
            again()
        stop.set()

    for each in STOPPING:
        if sys.platform == "win32":  # there a loop has no signal handlers of its own
            signal.signal(each, lambda *_: loop.call_soon_threadsafe(heard))
        else:
            loop.add_signal_handler(each, heard)
    try:
        yield stop
    finally:
        for each in STOPPING:
            if sys.platform == "win32":
                signal.signal(each, signal.SIG_DFL)
            else:
                loop.remove_signal_handler(each)


def _leave_no_core() -> None:
    """Neither this program nor what it starts leaves its memory, which holds keys, in a file when it crashes."""
    if sys.platform != "win32":
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _follow(begin: asyncio.Event, stop: asyncio.Event) -> None:
    """Set the events at the first line of stdin and at its end."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: we are stopping already
            with contextlib.suppress(OSError):
                while os.read(0, 4096):
                    loop.call_soon_threadsafe(begin.set)
            loop.call_soon_threadsafe(stop.set)
            loop.call_soon_threadsafe(begin.set)

    threading.Thread(target=watch, name="leader-watch", daemon=True).start()


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        # the broker starts a process, the others watch sockets: no loop there does both
        return asyncio.ProactorEventLoop if name == "broker" else asyncio.SelectorEventLoop
    import uvloop  # it does not exist on Windows

    return uvloop.new_event_loop

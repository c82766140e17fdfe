"""The Mosquitto of one folder, found by its pid file or among all processes, recognised by its command line.

A pid is never believed alone: after a crash it may belong to somebody else. Nor is a missing
file: whoever says that no broker runs, says that a change needs nobody to act on it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from broker import files

LOCK_FILE = "supervisor.lock"
PID_FILE = "mosquitto.pid"
CONFIG_FILE = "mosquitto.conf"
_LISTENS_AFTER = 10.0  # seconds, where the system does not tell which signals a process expects


def running(directory: Path) -> psutil.Process | None:
    """The live Mosquitto that was started with this folder's configuration, if there is one."""
    config = str((directory / CONFIG_FILE).resolve())
    try:
        named = psutil.Process(int((directory / PID_FILE).read_text(encoding="ascii")))
    except (OSError, ValueError, psutil.Error):
        named = None
    if named is not None and _is_ours(named, config):
        return named
    return next((each for each in psutil.process_iter() if _is_ours(each, config)), None)


def is_supervised(directory: Path) -> bool:
    """Whether somebody keeps a Mosquitto running in this folder, also while there is none for a moment."""
    return files.is_held(directory / LOCK_FILE)


def _is_ours(process: psutil.Process, config: str) -> bool:
    try:
        return (
            "mosquitto" in process.name()
            and config in process.cmdline()
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (OSError, psutil.Error):  # it has ended, or is somebody else's
        return False


def reload(directory: Path) -> bool:
    """Have the Mosquitto of this folder read its files again; False when none runs here."""
    tell = messenger(directory)
    if tell is not None:
        tell()
    return tell is not None


def messenger(directory: Path) -> Callable[[], None] | None:
    """What has the Mosquitto of this folder read its files again, at once; None when none runs here.

    One that is starting counts as none: a SIGHUP would end it, and it reads its files anyway.
    Finding it blocks, telling it does not. It is for the next moment: a pid is soon somebody else's.
    """
    broker = running(directory)
    if broker is None or sys.platform == "win32" or not _listens(broker):
        return None
    return partial(_tell, broker.pid)


def _listens(process: psutil.Process) -> bool:
    """Whether a SIGHUP has it read its files; before it has begun to listen for one, that would end it."""
    try:
        if sys.platform != "linux":
            return time.time() - process.create_time() >= _LISTENS_AFTER
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8", errors="replace")
    except (OSError, psutil.Error):
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.partition(":")[2], 16) >> (signal.SIGHUP - 1) & 1)


def _tell(pid: int) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile, and reads its files when it starts
        os.kill(pid, signal.SIGHUP)


def stop(process: psutil.Process, *, within_s: float) -> None:
    """End a process of ours: asked first, then ended. Blocks."""
    try:
        process.terminate()
        try:
            process.wait(within_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(within_s)
    except psutil.NoSuchProcess:
        return


def listener(port: int) -> str | None:
    """Who listens on a port, in words, when the system tells us."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return None
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return None

"""The Mosquitto of one folder, found by its pid file and recognised by its command line.

A pid is never believed alone: after a crash it may belong to somebody else.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

PID_FILE = "mosquitto.pid"
CONFIG_FILE = "mosquitto.conf"


def running(directory: Path) -> psutil.Process | None:
    """The live Mosquitto that was started with this folder's configuration, if there is one."""
    try:
        process = psutil.Process(int((directory / PID_FILE).read_text(encoding="ascii")))
        arguments = process.cmdline()
        name = process.name()
        alive = process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return None
    if alive and "mosquitto" in name and str((directory / CONFIG_FILE).resolve()) in arguments:
        return process
    return None


def reload(directory: Path) -> bool:
    """Have the Mosquitto of this folder read its files again; False when none runs here."""
    tell = messenger(directory)
    if tell is not None:
        tell()
    return tell is not None


def messenger(directory: Path) -> Callable[[], None] | None:
    """What has the Mosquitto of this folder read its files again, at once; None when none runs here.

    Finding it blocks, telling it does not. It is for the next moment: a pid is soon somebody else's.
    """
    broker = running(directory)
    if broker is None or sys.platform == "win32":
        return None
    return partial(_tell, broker.pid)


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

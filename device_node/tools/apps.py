"""Opening and closing applications, those that the owner named and started as the owner wrote.

A name from the network only chooses; it never becomes part of what is started.
"""

import os
import subprocess  # nosec B404 # argument lists, never a shell
import threading
import time
from pathlib import Path

import psutil

from device_node.safety.errors import ToolError
from device_node.tools import processes, programs, records
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode

_SETTLES = 0.4  # seconds; what cannot start has said so by then


def open_app(call: Call) -> Result:
    """Start an application; it goes on when the node stops."""
    name = call.text("name")
    argv = _argv(call, name)
    if call.dry_run:
        return {"would": f"Start {name}, which is {argv[0]}.", "name": name, "starts": argv, "undo": True}
    try:
        process = subprocess.Popen(  # nosec B603 # an application that the owner allows
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=call.node.home,
            env=programs.environment(),
            start_new_session=True,
            creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
        )
    except OSError as error:
        raise ToolError(ErrorCode.NOT_FOUND, f"{name} could not be started: {error.strerror}.") from error
    started = _start_of(process.pid)
    # somebody has to wait for it, or it stays in the process table when it ends
    threading.Thread(target=process.wait, name=f"app-{process.pid}", daemon=True).start()
    _refuse_early_end(call, process, name)
    undo = started is not None and records.save(
        call, [{"kind": "close", "pid": process.pid, "started": started, "name": name}]
    )
    return {"name": name, "pid": process.pid, "undo": undo}


def close_app(call: Call) -> Result:
    """Ask an application to end, and end it after a grace."""
    name = call.text("name")
    argv = _argv(call, name)
    running = [process for process in psutil.process_iter() if _is_ours(process) and _matches(process, argv)]
    if not running:
        raise ToolError(ErrorCode.NOT_FOUND, f"{name} is not running.")
    processes.refuse_protected(running)
    pids = [process.pid for process in running]
    if call.dry_run:
        would = f"Close {name} ({processes.listed(running)})."
        return {"would": would, "name": name, "pids": pids, "undo": False}
    return {"name": name} | processes.end(call, running)


def close_opened(call: Call, pid: int, started: float) -> None:
    """Close what `open_app` started, if it is still that very process.

    Raises:
        ToolError: `conflict` when it has ended already.
    """
    refuse_ended(pid, started)
    process = psutil.Process(pid)
    processes.end(call, [process, *process.children(recursive=True)])


def refuse_ended(pid: int, started: float) -> None:
    """Refuse to take another process for the one that was started."""
    if _start_of(pid) != started:
        raise ToolError(ErrorCode.CONFLICT, "It is not running any more.")


def _argv(call: Call, name: str) -> list[str]:
    start = call.node.policy.allowed_apps.get(name)
    if start is None:
        raise ToolError(ErrorCode.APP_NOT_ALLOWED, f"{name} is not one of the allowed applications.")
    program = programs.find(os.path.expanduser(start[0]))  # noqa: PTH111 - a plain name stays plain
    if program is None:
        raise ToolError(ErrorCode.NOT_FOUND, f"{name} is allowed, but {start[0]} is not installed.")
    return [program, *start[1:]]


def _refuse_early_end(call: Call, process: subprocess.Popen[bytes], name: str) -> None:
    ends_at = time.monotonic() + _SETTLES
    while time.monotonic() < ends_at and process.poll() is None:
        call.rest(0.05)
    if process.poll():  # a launcher that hands over and ends with 0 is fine
        raise ToolError(
            ErrorCode.CONFLICT,
            f"{name} ended at once, with code {process.returncode}.",
            {"exit_code": process.returncode},
        )


def _start_of(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _is_ours(process: psutil.Process) -> bool:
    try:
        return process.username() == psutil.Process().username() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError):
        return False


def _matches(process: psutil.Process, argv: list[str]) -> bool:
    """Whether this process is that application.

    Its command line as the owner wrote it, as itself or run by an interpreter; or, when the
    owner wrote no more than a program and options, its program.
    """
    try:
        line = process.cmdline()
    except psutil.Error:
        return False
    if any(_starts_with(line[skipped:], argv) for skipped in (0, 1)):
        return True
    if not all(part.startswith("-") for part in argv[1:]):
        return False
    try:
        return os.path.realpath(process.exe()) == os.path.realpath(argv[0])
    except psutil.Error:
        return False


def _starts_with(line: list[str], argv: list[str]) -> bool:
    if len(line) < len(argv) or line[1 : len(argv)] != argv[1:]:
        return False
    return line[0] == Path(argv[0]).name or os.path.realpath(line[0]) == os.path.realpath(argv[0])

"""Running programs: listed, and ended when asked; never the node, what holds it up, or the system's first."""

from collections.abc import Sequence
from typing import Any

import psutil

from device_node.safety.errors import ToolError, shown
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode

GRACE = 10.0  # seconds between asking and ending
_SAMPLE = 0.3  # seconds over which processor use is measured
_MOST_LISTED = 20
_SYSTEM = (0, 1)  # and 4 on Windows, which no user may end anyway


def list_processes(call: Call) -> Result:
    """The busiest processes."""
    limit = call.whole("limit", 50)
    # called twice on the same objects: processor use is a difference
    running = [(process, _cpu(process)) for process in psutil.process_iter()]
    call.rest(_SAMPLE)
    rows = [row for process, _ in running if (row := _row(process))]
    rows.sort(key=lambda row: (-row["cpu_percent"], -row["memory_bytes"], row["pid"]))
    return {"processes": rows[:limit], "total": len(rows), "truncated": len(rows) > limit}


def stop_process(call: Call) -> Result:
    """End one process by its pid, or all of one exact name: asked first, then ended."""
    if "pid" in call.arguments:
        targets = [_by_pid(call.whole("pid", 0))]
    else:
        name = call.text("name")
        targets = [process for process in psutil.process_iter() if _name(process) == name]
        if not targets:
            raise ToolError(ErrorCode.NOT_FOUND, f"No process is called {name}.")
    refuse_protected(targets)
    if call.dry_run:
        pids = [process.pid for process in targets]
        return {"would": f"End {listed(targets)}.", "pids": pids, "undo": False}
    return end(call, targets)


def listed(targets: Sequence[psutil.Process]) -> str:
    """Processes by name and pid, as a part of a sentence; of many the first."""
    names = [f"{_name(process)} ({process.pid})" for process in targets[:_MOST_LISTED]]
    more = len(targets) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def end(call: Call, targets: Sequence[psutil.Process], grace_s: float = GRACE) -> Result:
    """Ask processes to end, and after a grace end those that did not."""
    pids = [process.pid for process in targets]
    _signal(targets, "terminate")
    alive, waited = list(targets), 0.0
    while alive and waited < grace_s:
        _, alive = psutil.wait_procs(alive, timeout=0.1)
        waited += 0.1
        call.go_on()
    _signal(alive, "kill")
    _, left = psutil.wait_procs(alive, timeout=3.0)
    if left:
        raise ToolError(
            ErrorCode.CONFLICT, "Some processes did not end.", {"pids": [process.pid for process in left]}
        )
    return {"pids": pids, "forced": [process.pid for process in alive]}


def refuse_protected(targets: Sequence[psutil.Process]) -> None:
    """Refuse the node itself, the programs that hold it up, and the system's first process."""
    own = psutil.Process()
    protected = {own.pid, *(parent.pid for parent in own.parents()), *_SYSTEM}
    for process in targets:
        if process.pid in protected:
            raise ToolError(
                ErrorCode.PERMISSION_DENIED,
                f"Process {process.pid} keeps this node running and is not ended.",
            )


def _by_pid(pid: int) -> psutil.Process:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        raise ToolError(ErrorCode.NOT_FOUND, f"There is no process {pid}.") from None


def _signal(targets: Sequence[psutil.Process], verb: str) -> None:
    for process in targets:
        try:
            # psutil compares the start time first, so a reused pid is never hit
            getattr(process, verb)()
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            raise ToolError(
                ErrorCode.PERMISSION_DENIED, f"Process {process.pid} belongs to another user."
            ) from None


def _name(process: psutil.Process) -> str:
    try:
        return shown(process.name())
    except psutil.Error:
        return ""


def _cpu(process: psutil.Process) -> float:
    try:
        return process.cpu_percent(None)
    except psutil.Error:
        return 0.0


def _row(process: psutil.Process) -> dict[str, Any] | None:
    try:
        with process.oneshot():
            return {
                "pid": process.pid,
                "name": shown(process.name()),
                "cpu_percent": round(process.cpu_percent(None), 1),
                "memory_bytes": process.memory_info().rss,
            }
    except psutil.Error:
        return None  # it ended meanwhile, or is closed to us

"""Running a program of this system: an argument list, never a shell, with an end and a limit.

A program gets what it needs of the environment and no more: the node's own secrets
may stand there.
"""

import os
import shutil
import signal
import subprocess  # nosec B404 # argument lists, never a shell
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from device_node.safety.errors import ToolError
from device_node.tools.tool import Call
from schemas.errors import ErrorCode

MOST_OUTPUT = 64 * 1024  # bytes kept of each stream
_LOOK_EVERY = 0.05  # seconds

_PASSED_ON = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"),
        *("XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP"),
        *("USERPROFILE", "USERNAME", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
        *("PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432"),
    }
)


@dataclass(frozen=True, slots=True)
class Output:
    """How a program ended and the beginning of what it said."""

    exit_code: int
    stdout: str
    stderr: str
    truncated: bool


def environment() -> dict[str, str]:
    """What of our environment other programs may see."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _PASSED_ON or name.startswith("LC_")
    }


def find(*names: str) -> str | None:
    """The first of these programs that this system has."""
    return next((path for name in names if (path := shutil.which(name))), None)


def need(*names: str) -> str:
    """The first of these programs that this system has.

    Raises:
        ToolError: `not_supported` when it has none.
    """
    if (path := find(*names)) is None:
        raise ToolError(ErrorCode.NOT_SUPPORTED, f"This device has no {' or '.join(names)}.")
    return path


def run(
    call: Call,
    argv: Sequence[str],
    *,
    within_s: float,
    cwd: Path | None = None,
    extra: Mapping[str, str] | None = None,
) -> Output:
    """Run a program to its end; it and what it started are ended when time is up.

    Raises:
        ToolError: `not_found` when it does not start, `timeout`, `cancelled`.
    """
    try:
        process = subprocess.Popen(  # nosec B603 # what the owner's policy allows
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment() | dict(extra or {}),
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise ToolError(ErrorCode.NOT_FOUND, f"{argv[0]} could not be started: {error.strerror}.") from error
    with process:
        streams = [_Capped(process.stdout), _Capped(process.stderr)]
        try:
            _await_end(call, process, argv[0], within_s)
        finally:
            _end(process)
        for stream in streams:
            stream.join(2.0)
    return Output(
        process.returncode, streams[0].text(), streams[1].text(), any(stream.truncated for stream in streams)
    )


def _await_end(call: Call, process: subprocess.Popen[bytes], name: str, within_s: float) -> None:
    ends_at = time.monotonic() + within_s
    while process.poll() is None:
        if time.monotonic() >= ends_at:
            raise ToolError(ErrorCode.TIMEOUT, f"{name} took longer than {within_s:g} s and was ended.")
        call.rest(_LOOK_EVERY)


def _end(process: subprocess.Popen[bytes]) -> None:
    # the whole group: a child left behind would hold the pipes open
    if sys.platform == "win32":
        if process.poll() is None:
            process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # nothing of the group is left
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Capped(threading.Thread):
    """Reads a stream to its end and keeps the beginning, so that the program never waits for us."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(name="program-output", daemon=True)
        self._stream = stream
        self._kept = bytearray()
        self.truncated = False
        self.start()

    def run(self) -> None:
        while self._stream is not None:
            try:
                chunk = self._stream.read1(8192) if hasattr(self._stream, "read1") else b""
            except (OSError, ValueError):
                return  # closed under us, after the program was ended
            if not chunk:
                return
            room = MOST_OUTPUT - len(self._kept)
            self._kept += chunk[:room]
            self.truncated |= len(chunk) > room

    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")

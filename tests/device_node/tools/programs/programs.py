"""Programs that a test starts or puts in the place of the system's own."""

import os
from pathlib import Path

import psutil
import pytest

# of this run alone: another run of these tests may be under way on the same machine
SLEEPER = f"import time; time.sleep(300)  # {os.getpid()}"
NAPPER = f"nap-{os.getpid()}"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(300)"


def wait_until_gone(pid: int) -> None:
    try:
        psutil.Process(pid).wait(timeout=10)
    except psutil.NoSuchProcess:
        return


def programs_at(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Small programs that stand where the system's own would be found."""
    folder.mkdir()
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

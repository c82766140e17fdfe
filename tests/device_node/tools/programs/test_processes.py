"""A process is stopped by pid or name, never the node's own, and all are listed."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from device_node.tools import processes
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk
from tests.device_node.tools.programs.programs import NAPPER, STUBBORN


def test_a_process_that_does_not_listen_is_ended_after_the_grace(able: Desk) -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == "up\n"
        result = processes.end(able.call("stop_process"), [psutil.Process(stubborn.pid)], grace_s=0.3)

        assert result == {"pids": [stubborn.pid], "forced": [stubborn.pid]}


def test_a_process_is_stopped_by_pid_and_by_name(able: Desk, tmp_path: Path) -> None:
    program = tmp_path / NAPPER
    program.symlink_to("/bin/sleep")
    for by_name in (False, True):
        with subprocess.Popen([str(program), "300"]) as napper:
            chosen = {"name": NAPPER} if by_name else {"pid": napper.pid}
            assert able.run("stop_process", dry_run=True, **chosen)["pids"] == [napper.pid]
            assert napper.poll() is None
            assert able.run("stop_process", **chosen)["pids"] == [napper.pid]


def test_the_node_what_holds_it_up_and_the_first_process_are_never_stopped(able: Desk) -> None:
    own = psutil.Process()
    for process in (own, *(parent for parent in own.parents() if parent.pid > 1)):
        assert able.fails("stop_process", pid=process.pid) == ErrorCode.PERMISSION_DENIED
    assert able.fails("stop_process", name=own.name()) == ErrorCode.PERMISSION_DENIED
    assert able.fails("stop_process", name=psutil.Process(1).name()) == ErrorCode.PERMISSION_DENIED
    assert able.fails("stop_process", pid=1) == ErrorCode.INVALID_ARGUMENTS
    assert able.fails("stop_process", pid=2**31 - 1) == ErrorCode.NOT_FOUND
    assert able.fails("stop_process", name="no such program") == ErrorCode.NOT_FOUND


def test_processes_are_listed_and_cut(able: Desk) -> None:
    result = able.run("list_processes", limit=1)

    assert len(result["processes"]) == 1
    assert set(result["processes"][0]) == {"pid", "name", "cpu_percent", "memory_bytes"}
    assert result["truncated"] is (result["total"] > 1)
    assert os.getpid() in {row["pid"] for row in able.run("list_processes", limit=500)["processes"]}

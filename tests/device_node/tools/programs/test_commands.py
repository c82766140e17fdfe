"""A command that the owner allows runs without a shell or secrets, and how it ended is told."""

import shlex
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from device_node.tools import TOOLS
from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk
from tests.device_node.tools.programs.programs import SLEEPER, wait_until_gone


def test_a_command_runs_without_a_shell(able: Desk) -> None:
    result = able.run("run_command", command="printf '%s|' $HOME '*' ';' 'a b' \"c'd\"")

    assert result == {"exit_code": 0, "stdout": "$HOME|*|;|a b|c'd|", "stderr": "", "truncated": False}


def test_a_command_is_refused_until_the_owner_allows_it(desk: Desk) -> None:
    assert desk.fails("run_command", command="true") == ErrorCode.PERMISSION_DENIED
    with pytest.raises(ToolError):
        TOOLS["run_command"].run(desk.call("run_command", command="true"))


def test_how_a_command_ended_is_told(able: Desk) -> None:
    result = able.run("run_command", command=shlex.join([sys.executable, "-c", "import sys; sys.exit('no')"]))

    assert (result["exit_code"], result["stderr"]) == (1, "no\n")
    assert able.fails("run_command", command="no-such-program-here") == ErrorCode.NOT_FOUND
    assert able.fails("run_command", command="echo 'open") == ErrorCode.INVALID_ARGUMENTS
    assert able.fails("run_command", command="   ") == ErrorCode.INVALID_ARGUMENTS


def test_what_a_command_prints_is_cut(able: Desk) -> None:
    loud = shlex.join([sys.executable, "-c", "print('x' * 5_000_000)"])

    result = able.run("run_command", command=loud)

    assert (len(result["stdout"]), result["truncated"]) == (65_536, True)


def test_a_command_gets_nothing_of_the_nodes_secrets_and_no_input(
    able: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORION_MQTT_PASSWORD", "secret")
    monkeypatch.setenv("SOME_API_TOKEN", "secret")

    assert "secret" not in able.run("run_command", command="env")["stdout"]
    assert able.run("run_command", command="cat")["stdout"] == ""


def test_a_cancelled_command_is_ended_with_all_it_started(able: Desk, tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER!r}, {str(tmp_path)!r}])"
    call = able.call("run_command", command=shlex.join([sys.executable, "-c", child]))
    outcome: list[str] = []

    def run() -> None:
        try:
            TOOLS["run_command"].run(call)
        except ToolError as error:
            outcome.append(error.code)

    running = threading.Thread(target=run)
    running.start()
    while not (started := _mine(tmp_path)):
        assert running.is_alive()
        time.sleep(0.01)
    call.cancelled.set()
    running.join(timeout=20)

    assert outcome == ["cancelled"]
    for process in started:
        wait_until_gone(process.pid)


def _mine(tmp_path: Path) -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if child.cmdline()[-1:] == [str(tmp_path)]:
                found.append(child)
        except psutil.Error:
            continue
    return found

"""An allowed application opens and closes, and nothing else is touched."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk
from tests.device_node.tools.programs.programs import SLEEPER, wait_until_gone


def test_an_allowed_application_opens_and_closes(able: Desk) -> None:
    pid = able.run("open_app", name="sleeper")["pid"]
    assert psutil.Process(pid).cmdline()[1:] == ["-c", SLEEPER]

    result = able.run("close_app", name="sleeper")

    assert result == {"name": "sleeper", "pids": [pid], "forced": []}
    wait_until_gone(pid)
    assert able.fails("close_app", name="sleeper") == ErrorCode.NOT_FOUND


def test_undo_closes_what_was_opened_and_nothing_else(able: Desk) -> None:
    first = able.run("open_app", "o1", name="sleeper")["pid"]
    second = able.run("open_app", "o2", name="sleeper")["pid"]

    able.run("undo", command_id="o1")

    wait_until_gone(first)
    assert psutil.pid_exists(second)
    able.run("close_app", name="sleeper")
    wait_until_gone(second)
    assert able.fails("undo", command_id="o2") == ErrorCode.CONFLICT


def test_only_allowed_applications_open(able: Desk) -> None:
    for name in ("sh", "sleeper ", "SLEEPER", "/bin/sh", ""):
        assert able.fails("open_app", name=name) in (ErrorCode.APP_NOT_ALLOWED, ErrorCode.INVALID_ARGUMENTS)
    assert able.fails("close_app", name="python3") == ErrorCode.APP_NOT_ALLOWED


def test_an_application_that_cannot_start_is_an_error(able: Desk) -> None:
    assert able.fails("open_app", name="missing") == ErrorCode.NOT_FOUND
    assert able.fails("open_app", name="failing") == ErrorCode.CONFLICT
    assert able.run("open_app", name="quick")["name"] == "quick"


def test_a_started_application_sees_no_secret_of_the_node(
    able: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORION_MQTT_PASSWORD", "secret")
    pid = able.run("open_app", name="sleeper")["pid"]

    assert "ORION_MQTT_PASSWORD" not in psutil.Process(pid).environ()
    able.run("close_app", name="sleeper")


def test_closing_does_not_touch_other_programs_of_the_same_interpreter(able: Desk) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(299)"]) as other:
        able.run("open_app", name="sleeper")
        able.run("close_app", name="sleeper")

        assert other.poll() is None
        other.kill()

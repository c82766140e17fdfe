"""The system restarts when its time has come and not before, and a service is described."""

import threading
from pathlib import Path

import pytest

from device_node.tools import power
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk
from tests.device_node.tools.programs.programs import programs_at


def test_a_restart_waits_and_can_be_cancelled(able: Desk) -> None:
    planned = able.run("restart_device", "r1", delay_s=600)

    assert (planned["delay_s"], planned["undo"]) == (600, True)
    assert able.fails("shutdown_device", delay_s=600) == ErrorCode.CONFLICT
    able.run("undo", command_id="r1")
    assert able.node.power.timer is None
    assert able.run("shutdown_device", "s1", delay_s=600)["undo"]
    able.run("undo", command_id="s1")
    assert able.fails("undo", command_id="s1") == ErrorCode.CONFLICT


def test_a_dry_run_plans_no_restart(able: Desk) -> None:
    assert "restart" in able.run("restart_device", dry_run=True)["would"]
    assert able.node.power.timer is None


@pytest.mark.parametrize(("tool", "words"), [("restart_device", "reboot"), ("shutdown_device", "poweroff")])
def test_when_the_time_has_come_the_system_is_asked(
    able: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, words: str
) -> None:
    said = tmp_path / "said"
    programs_at(tmp_path / "bin", monkeypatch, systemctl=f'echo "$@" > {said}')
    monkeypatch.setattr(power, "_LEAST_DELAY", 0.0)

    able.run(tool, delay_s=0)
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()

    assert said.read_text() == f"--no-wall {words}\n"


def test_a_restart_that_fails_is_logged(
    able: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    programs_at(tmp_path / "bin", monkeypatch, systemctl="exit 4")
    monkeypatch.setattr(power, "_LEAST_DELAY", 0.0)

    able.run("restart_device", "r1", delay_s=0)
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()

    assert "Command r1 failed with code 4" in caplog.messages


def test_a_service_is_described(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nDescription=A = b\nMainPID=42"
    programs_at(tmp_path / "bin", monkeypatch, systemctl=f"echo '{lines}'")

    assert desk.run("service_status", name="ssh.service") == {
        "name": "ssh.service",
        "running": True,
        "state": "active",
        "detail": "running",
        "starts_with_system": True,
        "description": "A = b",
        "pid": 42,
    }


def test_an_unknown_service_and_a_system_without_systemd_are_told_apart(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs_at(tmp_path / "a", monkeypatch, systemctl="echo LoadState=not-found")
    assert desk.fails("service_status", name="nothing") == ErrorCode.NOT_FOUND
    programs_at(tmp_path / "b", monkeypatch, systemctl="exit 1")
    assert desk.fails("service_status", name="ssh") == ErrorCode.NOT_SUPPORTED

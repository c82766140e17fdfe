"""Applications, processes, commands and power: real programs, started and ended."""

import logging
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from device_node.tools import TOOLS, power, processes
from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk

# of this run alone: another run of these tests may be under way on the same machine
SLEEPER = f"import time; time.sleep(300)  # {os.getpid()}"
NAPPER = f"nap-{os.getpid()}"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(300)"


@pytest.fixture
def able(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose owner allows programs; what it started is ended afterwards."""
    yield Desk(
        tmp_path,
        allow_run_command=True,
        allow_power=True,
        allowed_apps={
            "sleeper": (sys.executable, "-c", SLEEPER),
            "failing": (sys.executable, "-c", "raise SystemExit(3)"),
            "missing": ("no-such-program-here",),
            "quick": ("true",),
        },
    )
    for child in psutil.Process().children(recursive=True):
        if str(tmp_path) in " ".join(child.cmdline()) or SLEEPER in child.cmdline():
            child.kill()


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


def test_without_a_desktop_a_notification_is_logged_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)

    with caplog.at_level(logging.INFO):
        assert desk.run("notify", title="Hallo", message="a\nb") == {"shown": "log"}

    assert "Notification: 'Hallo': 'a\\nb'" in caplog.messages


def test_on_a_desktop_a_notification_is_text_and_nothing_else(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    programs_at(tmp_path / "bin", monkeypatch, **{"notify-send": f'printf "%s\\n" "$@" > {said}'})
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")

    assert desk.run("notify", title="--help", message="<b>x</b>") == {"shown": "desktop"}

    assert said.read_text().splitlines() == ["--app-name=Orion", "--", "--help", "&lt;b&gt;x&lt;/b&gt;"]


def test_without_a_screen_there_is_no_screenshot(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    assert desk.fails("take_screenshot") == ErrorCode.NOT_SUPPORTED


def test_a_screenshot_is_made_smaller_until_it_fits(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as large as the quality says: only the third attempt fits
    script = 'for last; do :; done; head -c "$(($4 * 3500))" /dev/zero > "$last"'
    programs_at(tmp_path / "bin", monkeypatch, grim=script)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")

    result = desk.run("take_screenshot")

    assert (result["media_type"], result["size"]) == ("image/jpeg", 35 * 3500)
    assert list(desk.node.data_dir.iterdir()) == []


def test_a_screenshot_that_never_fits_tells_its_size(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs_at(
        tmp_path / "bin", monkeypatch, grim='for last; do :; done; head -c 200000 /dev/zero > "$last"'
    )
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")

    with pytest.raises(ToolError) as refused:
        desk.run("take_screenshot")

    assert refused.value.body().detail == {"size": 200_000, "limit": 131_072}

"""A computer joins as its user does it: `orion devices invite` here, `orion node join` there."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from device_node import vault
from schemas.joining import JoinCode
from tests.orion.installation import ORION, READY_WITHIN, Installation, clean_environment, running, until


def elsewhere(home: Path, **settings: str) -> dict[str, str]:
    """Another computer's environment."""
    return clean_environment(ORION_DATA_DIR=str(home), HOME=str(home), **settings)


def join(home: Path, where: str, *words: str, code: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*ORION, "node", "join", where, *words],
        env=elsewhere(home),
        input=code,
        capture_output=True,
        text=True,
        timeout=READY_WITHIN,
        check=False,
    )


def where_of(installation: Installation) -> str:
    return f"127.0.0.1:{installation.environment['ORION_MQTT_TLS_PORT']}"


@contextmanager
def node(home: Path, *words: str, log: Path = Path(os.devnull)) -> Iterator[None]:
    with log.open("w", encoding="utf-8") as said:
        running = subprocess.Popen([*ORION, "node", *words], env=elsewhere(home), stderr=said)
    try:
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(READY_WITHIN) == 0


def is_online(installation: Installation, device_id: str) -> bool:
    found: dict[str, Any] = installation.data("devices", "show", device_id)
    return bool(found["status"] == "online")


def test_a_computer_joins_and_stays_that_device(installation: Installation, tmp_path: Path) -> None:
    made = installation.data("devices", "invite", "nas", "--name", "NAS", "--adopt")
    assert made["command"] == f"orion node join {where_of(installation)}"

    joined = join(tmp_path, where_of(installation), "--no-run", "--json", code=made["code"] + "\n")

    assert joined.returncode == 0, joined.stderr
    assert json.loads(joined.stdout)["device_id"] == "nas"
    assert made["code"] not in joined.stdout + joined.stderr
    kept = tmp_path / "node" / "nas" / vault.FILE
    assert kept.stat().st_mode & 0o777 == 0o600
    with node(tmp_path):  # its name is known from what it joined as
        until(lambda: is_online(installation, "nas"))
        shown = installation.data("devices", "show", "nas")
        assert (shown["signed"], shown["name"]) == (True, "NAS")
        assert installation.data("run", "nas", "system_info")["status"] == "succeeded"
    installation.data("devices", "remove", "nas")


def test_a_node_that_runs_takes_its_new_identity_after_it_was_revoked(
    installation: Installation, tmp_path: Path
) -> None:
    code = installation.data("devices", "invite", "back", "--adopt")["code"]
    assert join(tmp_path, where_of(installation), "--no-run", code=code).returncode == 0
    log = tmp_path / "log"
    with node(tmp_path, log=log):
        until(lambda: is_online(installation, "back"))
        installation.data("devices", "revoke", "back", "--yes")
        until(lambda: "does not let back in" in log.read_text())
        assert "orion devices invite back" in log.read_text()
        assert "username and password" not in log.read_text()

        code = installation.data("devices", "invite", "back", "--adopt")["code"]
        joined = join(tmp_path, where_of(installation), code=code)

        assert joined.returncode == 0, joined.stderr
        assert "The node that runs here already goes on as back" in joined.stderr
        until(lambda: is_online(installation, "back"))
        assert installation.data("run", "back", "system_info")["status"] == "succeeded"

        code = installation.data("devices", "invite", "back")["code"]  # and again, while it is connected
        assert join(tmp_path, where_of(installation), "--no-run", code=code).returncode == 0
        until(lambda: log.read_text().count("has joined anew") == 2)
        until(lambda: is_online(installation, "back"))
        assert installation.data("run", "back", "system_info")["status"] == "succeeded"
    installation.data("devices", "remove", "back")


def test_keys_that_are_replaced_at_once_twice_reach_whoever_was_there_and_whoever_was_away(
    tmp_path: Path,
) -> None:
    homes = {name: tmp_path / name for name in ("there", "away")}
    with running(tmp_path / "home", "--no-node") as installation:

        def all_execute() -> bool:
            return all(
                installation.data("run", name, "system_info")["status"] == "succeeded" for name in homes
            )

        for name, home in homes.items():
            code = installation.data("devices", "invite", name, "--adopt")["code"]
            assert join(home, where_of(installation), "--no-run", code=code).returncode == 0
        with node(homes["there"]):
            with node(homes["away"]):
                until(lambda: all(is_online(installation, name) for name in homes))
                installation.data("signing-keys", "rotate", "--at-once", "--yes")
                assert all_execute()
            installation.data("signing-keys", "rotate", "--at-once", "--yes")
            with node(homes["away"]):
                until(lambda: is_online(installation, "away"))
                assert all_execute()


def test_a_used_a_wrong_and_a_mistyped_code_are_told_apart(
    installation: Installation, tmp_path: Path
) -> None:
    code = installation.data("devices", "invite", "once")["code"]
    assert join(tmp_path / "a", where_of(installation), "--no-run", code=code).returncode == 0

    used = join(tmp_path / "b", where_of(installation), "--no-run", code=code)
    wrong = join(
        tmp_path / "b", where_of(installation), "--no-run", code=JoinCode.make(JoinCode.read(code).ca).text
    )
    mistyped = join(tmp_path / "b", where_of(installation), "--no-run", code=code[:-1] + "aa")
    nothing = join(tmp_path / "b", where_of(installation), "--no-run")

    assert {each.returncode for each in (used, wrong, mistyped, nothing)} == {1}
    for each in (used, wrong):
        assert "it was used, has expired, was replaced by a newer one, or was voided" in each.stderr
        assert "orion devices invite" in each.stderr
    assert "a part is missing or too much" in mistyped.stderr
    assert "There is no code." in nothing.stderr
    assert not (tmp_path / "b" / "node").exists()
    installation.data("devices", "remove", "once")


def test_a_code_on_the_command_line_is_taken_with_a_warning(
    installation: Installation, tmp_path: Path
) -> None:
    code = installation.data("devices", "invite", "seen")["code"]

    joined = join(tmp_path, where_of(installation), "--no-run", "--code", code)

    assert joined.returncode == 0
    assert "can be read by others" in joined.stderr
    installation.data("devices", "remove", "seen")


def test_a_code_is_asked_for_and_not_shown(installation: Installation, tmp_path: Path) -> None:
    code = installation.data("devices", "invite", "typed")["code"]
    ours, theirs = pty.openpty()
    joining = subprocess.Popen(
        [*ORION, "node", "join", where_of(installation), "--no-run"],
        env=elsewhere(tmp_path),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = _until_shown(ours, b"Code:")
    os.write(ours, b"nonsense\n")
    shown += _until_shown(ours, b"Code:")
    os.write(ours, code.encode() + b"\n")
    shown += _until_shown(ours, b"Joined as typed.")
    assert joining.wait(READY_WITHIN) == 0
    os.close(ours)

    assert b"Try again." in shown
    assert code.encode() not in shown
    installation.data("devices", "remove", "typed")


@pytest.mark.parametrize("host", ["", "a b:x", "user@host", "host/path", "host:99999"])
def test_a_host_that_is_none_is_told(host: str, tmp_path: Path) -> None:
    refused = join(tmp_path, host, "--no-run", code="x")
    assert refused.returncode == 2
    assert "is no host" in refused.stderr


def test_nobody_there_is_told_with_what_may_be_wrong(installation: Installation, tmp_path: Path) -> None:
    code = installation.data("devices", "invite", "far")["code"]
    away = join(tmp_path, "127.0.0.1:9", "--no-run", code=code)
    assert away.returncode == 1
    assert "ORION_MQTT_TLS_HOST" in away.stderr
    plain = join(tmp_path, f"127.0.0.1:{installation.mqtt_port}", "--no-run", code=code)
    assert plain.returncode == 1
    assert "TLS" in plain.stderr
    installation.data("devices", "remove", "far")


def test_the_controllers_key_is_replaced_while_devices_work(installation: Installation) -> None:
    before = installation.data("signing-keys", "list")["items"]
    made = installation.data("signing-keys", "rotate", "--settle", "1s", "--overlap", "1h")

    def signs() -> bool:
        found = installation.data("signing-keys", "list")["items"]
        return [each["key_id"] for each in found if each["signs"]] == [made["key_id"]]

    until(signs)
    assert len(before) + 1 == len(installation.data("signing-keys", "list")["items"])
    assert installation.data("run", "laptop", "system_info")["status"] == "succeeded"
    refused = installation.data("signing-keys", "rotate", exit_code=1)
    assert "overlaps until" in refused["error"]["message"]


def _until_shown(terminal: int, words: bytes) -> bytes:
    shown = b""
    while words not in shown:
        more = os.read(terminal, 4096)
        assert more, shown
        shown += more
    return shown

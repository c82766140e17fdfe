"""Watching the wire with the real mosquitto_sub, and no password where others can read it."""

import asyncio
import os
import shlex
import subprocess
from pathlib import Path

import psutil
import pytest

from broker.identities import Identities
from orion import watching
from orion.config.sources import load
from tests.broker.running import RunningBroker
from tests.orion.installation import READY_WITHIN, Installation, until


def test_the_command_that_is_printed_shows_every_message_and_no_password(
    installation: Installation, tmp_path: Path
) -> None:
    made = installation.data("debug-user", "create", "debug.eye")
    assert made["password"] not in made["command"]
    with (tmp_path / "seen").open("wb") as seen:
        watcher = subprocess.Popen(["/bin/sh", "-c", f"exec env {made['command']}"], stdout=seen)
    try:
        until(lambda: b"orion/v1/devices/laptop/presence" in (tmp_path / "seen").read_bytes())
        running = psutil.Process(watcher.pid)
        shown = [*running.cmdline(), *running.environ().values()]
    finally:
        watcher.terminate()
        watcher.wait(READY_WITHIN)
        installation.data("debug-user", "remove", "debug.eye")

    assert not [each for each in shown if made["password"] in each]


def test_the_options_are_for_their_owner_only_and_gone_with_the_user(installation: Installation) -> None:
    made = installation.data("debug-user", "create", "debug.eye")
    setting, *_ = shlex.split(made["command"])
    folder = Path(setting.removeprefix("XDG_CONFIG_HOME="))
    modes = [oct(each.stat().st_mode & 0o777) for each in (folder, folder / "mosquitto_sub")]
    installation.data("debug-user", "remove", "debug.eye")

    assert modes == ["0o700", "0o600"]
    assert not folder.exists()


@pytest.mark.parametrize("password", ["-P", "-starts-with-a-dash", "--", "it-is=plain_"])
async def test_every_password_that_we_make_gets_in(
    broker: RunningBroker, tmp_path: Path, password: str
) -> None:
    done = await asyncio.to_thread(subscribed, broker, tmp_path, password)

    assert (done.returncode, done.stderr) == (0, b"")


def subscribed(broker: RunningBroker, folder: Path, password: str) -> "subprocess.CompletedProcess[bytes]":
    """How mosquitto_sub ends that subscribes with this password and waits for nothing."""
    Identities(broker.settings.directory).add_joining("abcd", password)
    made = {
        "host": broker.settings.host,
        "port": broker.settings.port,
        "username": "join-abcd",
        "password": password,
        "topic": "orion/v1/join/abcd/response",
    }
    command = watching.prepare(load({"data_dir": folder}, {}).settings, made)
    setting, *words = shlex.split(command)
    name, _, place = setting.partition("=")
    return subprocess.run(
        [*words, "-E", "-i", "join-abcd"],
        env=os.environ | {name: place},
        capture_output=True,
        timeout=READY_WITHIN,
        check=False,
    )

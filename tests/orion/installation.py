"""An installation as a user has it: `orion up` in a folder of its own, and `orion` beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from typer.testing import CliRunner

from orion import cli
from tests.ports import free_port

ORION = (sys.executable, "-P", "-m", "orion")
READY_WITHIN = 40.0  # seconds, on a machine that is busy with other tests


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment without any setting of the machine, and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORION_", "OLLAMA_"))}
    return kept | {"OLLAMA_HOST": "http://127.0.0.1:9"} | settings


def until(what: Callable[[], bool], *, within_s: float = READY_WITHIN) -> None:
    """Return once it is so."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.02)


def database_for(_home: Path) -> str | None:
    """What a new installation is told to keep everything in; None: nothing, as a user tells it."""
    return None


class Installation:
    """One data folder with its ports. `start` runs `orion up` in it."""

    def __init__(self, home: Path, *, device_id: str = "laptop") -> None:
        self.home = home
        self.files = home / "data" / "files"
        self.mqtt_port = free_port()
        self.mqtt_tls_port = free_port()
        self.http_port = free_port()
        self.environment = clean_environment(
            ORION_DATA_DIR=str(home / "data"),
            ORION_MQTT_PORT=str(self.mqtt_port),
            ORION_MQTT_TLS_PORT=str(self.mqtt_tls_port),
            ORION_HTTP_PORT=str(self.http_port),
            ORION_DEVICE_ID=device_id,
            ORION_NODE_NAME="Laptop",
        )
        if (url := database_for(home)) is not None:
            self.environment["ORION_DATABASE_URL"] = url
        self.up: subprocess.Popen[str] | None = None

    @property
    def database_url(self) -> str:
        """Where its controller keeps everything."""
        own = f"sqlite:///{self.home / 'data' / 'controller' / 'orion.db'}"
        return self.environment.get("ORION_DATABASE_URL", own)

    @property
    def log(self) -> str:
        """What `orion up` and its programs said on stderr."""
        return (self.home / "up.log").read_text(encoding="utf-8")

    def start(self, *options: str) -> dict[str, Any]:
        """Run `orion up` and return what it says once everything works."""
        self.home.mkdir(exist_ok=True)
        with (self.home / "up.log").open("a", encoding="utf-8") as log:
            self.up = subprocess.Popen(
                [*ORION, "up", "--json", *options],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self.up.stdout is not None
        with self.up.stdout as stdout:
            said = stdout.readline()
        assert said, self.log
        facts: dict[str, Any] = json.loads(said)
        return facts

    def family(self) -> list[psutil.Process]:
        """`orion up` and everything it started."""
        assert self.up is not None
        parent = psutil.Process(self.up.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Stop `orion up`; its exit code."""
        assert self.up is not None
        self.up.send_signal(how)
        return self.up.wait(timeout=READY_WITHIN)

    def orion(self, *words: str, stdin: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run one command as a program would: without a terminal."""
        return orion(*words, environment=self.environment | settings, stdin=stdin)

    def data(self, *words: str, exit_code: int = 0, **settings: str) -> dict[str, Any]:
        """The one object that a command prints with --json; run in this process, which is quicker."""
        done = CliRunner().invoke(cli.build(words), [*words, "--json"], env=self.environment | settings)
        assert done.exit_code == exit_code, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def orion(*words: str, environment: Mapping[str, str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run `orion` to its end."""
    return subprocess.run(
        [*ORION, *words],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=READY_WITHIN,
        check=False,
    )


@contextmanager
def running(home: Path, *options: str, device_id: str = "laptop", **settings: str) -> Iterator[Installation]:
    """An installation that works inside the block; nothing of it is left after it."""
    installation = Installation(home, device_id=device_id)
    installation.environment |= settings
    family: list[psutil.Process] = []
    try:
        installation.start(*options)
        family = installation.family()
        yield installation
    finally:
        up = installation.up
        if up is not None and up.poll() is None:
            family = installation.family()
            installation.stop()
        for process in family:
            if process.is_running():
                process.kill()


@contextmanager
def another_node(installation: Installation, home: Path, device_id: str) -> Iterator[subprocess.Popen[bytes]]:
    """A second computer: its own folder, its own node, the same controller."""
    place = installation.data("devices", "add", device_id, "--adopt")
    environment = installation.environment | {
        "ORION_DATA_DIR": str(home),
        "ORION_DEVICE_ID": device_id,
        "ORION_NODE_PASSWORD": place["mqtt"]["password"],
    }
    node = subprocess.Popen([*ORION, "node"], env=environment, stderr=subprocess.DEVNULL)
    try:
        until(lambda: installation.data("devices", "show", device_id)["status"] == "online")
        yield node
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(READY_WITHIN)
        installation.data("devices", "remove", device_id)

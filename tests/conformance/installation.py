"""Orion as a user starts it: programs in processes, and the command line with --json."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conformance.fake_device import FakeDevice
from tests.conformance.wire_peer import PREFIX, Json, Peer, until
from tests.ports import free_port

ORION = str(Path(sys.executable).with_name("orion"))
START_WITHIN = 30.0  # seconds, on a machine that is busy
STOP_WITHIN = 10.0


class Program:
    """One of our programs in a process of its own, its log in a file."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [ORION, *arguments], env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def until_said(self, words: str) -> None:
        def there() -> bool:
            assert self.process.poll() is None, self.said()
            return words in self.said()

        until(there, within=START_WITHIN, what=f"{words!r} in {self.log.name}")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_WITHIN)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(STOP_WITHIN)


class Verb:
    """A command line call that is under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.code = -1

    def answer(self, *, within: float = START_WITHIN) -> Json:
        """What it printed, when it has ended."""
        out, talk = self.process.communicate(timeout=within)
        self.code = self.process.returncode
        assert out.strip(), talk
        value = json.loads(out)
        assert isinstance(value, dict)
        return value


class Installation:
    """A data folder, three ports, and what runs on them."""

    def __init__(self, directory: Path, *, instance: str = "main", **settings: str) -> None:
        self.directory, self.instance = directory, instance
        self.port, self.tls_port, self.http_port = free_port(), free_port(), free_port()
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ORION_", "OLLAMA_"))
        } | {
            "ORION_DATA_DIR": str(directory / "data"),
            "ORION_MQTT_PORT": str(self.port),
            "ORION_MQTT_TLS_PORT": str(self.tls_port),
            "ORION_HTTP_PORT": str(self.http_port),
            "ORION_INSTANCE": instance,
            "ORION_LOG_LEVEL": "debug",
            "OLLAMA_HOST": "http://127.0.0.1:9",
            **settings,
        }
        self.programs: list[Program] = []

    def start(self, name: str, *, log: str | None = None, **settings: str) -> Program:
        """Start `orion <name>`; the environment can be changed for it alone."""
        program = Program([name], self.environment | settings, self.directory / f"{log or name}.log")
        self.programs.append(program)
        return program

    def begin(self, *arguments: str) -> Verb:
        return Verb(
            subprocess.Popen(
                [ORION, *arguments, "--json"],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        )

    def cli(self, *arguments: str) -> Json:
        return self.begin(*arguments).answer()

    def controller_peer(self) -> Peer:
        """Speak as this installation's controller, with the password it keeps for itself."""
        password = (self.directory / "data" / "broker" / f"controller-{self.instance}.password").read_text()
        return Peer(self.port, f"controller-{self.instance}", password.strip())

    def spy(self) -> Peer:
        """A debugging user that has seen everything from now on, what is retained included."""
        made = self.cli("debug-user", "create")
        peer = Peer(self.port, made["username"], made["password"])
        peer.connect(clean=True)
        peer.subscribe(f"{PREFIX}/#")
        return peer

    def device(self, device_id: str, *options: str, adopt: bool = True, **how: Any) -> FakeDevice:
        """Prepare a place and the stranger's device that will take it; it has not connected yet."""
        adopting = ("--adopt",) if adopt else ()
        made = self.cli("devices", "add", device_id, *options, *adopting)
        return FakeDevice(made["mqtt"]["port"], device_id, made["mqtt"]["password"], **how)

    def stop(self) -> None:
        for program in reversed(self.programs):
            program.stop()

"""A node whose lives are counted, and commands whose effects are counted on disk.

The effect is a line in a file, written by a program that is not ours: what ran how often is
read there, never in what the node says of itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.conftest import INSTANCE, Bench
from tests.conformance.device_side import FINAL
from tests.conformance.installation import Program
from tests.conformance.wire_peer import Json, Seen, fresh, stamp, until


@dataclass
class Mortal:
    """One place at the broker and one data folder; started and killed as a test likes."""

    bench: Bench
    name: str
    folder: Path
    program: Program | None = field(default=None)

    @property
    def effects(self) -> Path:
        return self.folder / "effects"

    @property
    def replies_to(self) -> str:
        return self.bench.topic(self.name, f"reply/{INSTANCE}")

    def live(self, *, port: int | None = None) -> str:
        """Start it and wait for its presence; its boot id."""
        mark = self.bench.judge.mark()
        data = str(self.folder / "data")
        self.program = self.bench.node(self.name, port=port, ORION_DATA_DIR=data)
        return str(self.bench.online(self.name, after=mark).json()["boot_id"])

    def die(self) -> None:
        assert self.program is not None
        self.program.kill()

    def leave(self) -> None:
        """Let go of everything it keeps, and stop."""
        if self.program is not None:
            self.program.stop()

    def marking(self, *, before: float = 0.0, after: float = 0.0, **changes: Any) -> Json:
        """A command that writes its id down, with so many seconds of nothing on either side."""
        name = fresh()
        script = f"sleep {before}; echo {name} >> {self.effects}; sleep {after}"
        return self.bench.command(
            self.name, "run_command", {"command": f"sh -c '{script}'"}, **({"id": name} | changes)
        )

    def times(self, command: Json) -> int:
        """How often it took effect."""
        lines = self.effects.read_text().split() if self.effects.exists() else []
        return lines.count(command["id"])

    def order(self, command: Json, **how: Any) -> None:
        self.bench.order(self.name, command, **how)

    def send(self, command: Json) -> None:
        """Give a command without waiting for the broker."""
        self.bench.judge.send(self.bench.topic(self.name, "command"), command)

    def said(self, command: Json, *, after: int = 0) -> list[Seen]:
        return self.bench.judge.all(self.replies_to, after=after, command_id=command["id"])

    def ends(self, command: Json, *, after: int = 0) -> set[str]:
        """The final statuses it was given; more than one is a lie."""
        return {str(seen.json()["status"]) for seen in self.said(command, after=after)} & FINAL

    def end(self, command: Json, *, after: int = 0) -> str:
        """Its one final status, once it has come."""
        until(lambda: self.ends(command, after=after), within=20, what=f"an end of {command['id']}")
        (status,) = self.ends(command)
        return status

    def ack(self, commands: Iterable[Json]) -> None:
        names = [command["id"] for command in commands]
        self.bench.judge.publish(self.bench.topic(self.name, "ack"), {"at": stamp(), "replies": names})

    def fence(self) -> None:
        self.bench.fence(self.name)

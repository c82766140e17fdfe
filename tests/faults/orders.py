"""What is ordered next: drawn at random, but more of what a program's next point needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.faults import marks
from tests.faults.plan import CONTROLLER, Size
from tests.faults.points import Needs
from tests.faults.programs import Program

GROUP = "lab"  # every node is in it
TRUE, FALSE = "marked", "absent"  # fields of a look's answer: one that is true, one that is not there


@dataclass(frozen=True, slots=True)
class Order:
    """One submit, ready to be sent. `asks` numbers the look that must answer true before."""

    number: int
    body: dict[str, Any]
    cancel: bool
    asks: int | None = None

    @property
    def tool(self) -> str:
        return str(self.body["tool"])

    @property
    def device_id(self) -> str | None:
        """None: the group."""
        return self.body.get("device_id")

    @property
    def waits(self) -> bool:
        return "when_online" in self.body


@dataclass(slots=True)
class Orders:
    """Draws one order after the other."""

    programs: Mapping[str, Program]
    nodes: list[str]
    size: Size
    random: Random
    number: int = 0
    pressing: dict[Needs, list[str]] = field(default_factory=dict)

    def draw(self) -> Order:
        """The next one."""
        self.pressing = self._pressing()
        device_id = self._device()
        tool, seconds = self._tool(device_id)
        random = self.random
        number = self._next()
        short = random.random() < 0.1
        body: dict[str, Any] = {
            "device_id": device_id,
            "tool": tool,
            "arguments": {"number": number, "seconds": seconds},
            "valid_s": round(random.uniform(0.3, 2.0), 2) if short else self.size.valid_s,
            "timeout_s": self.size.timeout_s,
        }
        if Needs.WAITING in self.pressing or not self._is_up(device_id) or random.random() < 0.1:
            body["when_online"] = True
        asks = None
        if random.random() < 0.06:
            asks = self._next()
            body["condition"] = {
                "tool": marks.LOOK,
                "arguments": {"number": asks},
                "field": random.choice((TRUE, TRUE, FALSE)),
            }
        elif random.random() < (0.3 if Needs.GROUP in self.pressing else 0.02):
            del body["device_id"]
            body |= {"group": GROUP, "rate_per_s": 20.0, "max_in_flight": 2}
        cancel = random.random() < (0.7 if Needs.CANCEL in self.pressing else 0.08)
        return Order(number, body, cancel, asks)

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _pressing(self) -> dict[Needs, list[str]]:
        """What the programs' next points need, and of which devices."""
        found: dict[Needs, list[str]] = {}
        for name, program in self.programs.items():
            if program.wanted is not None and program.up.is_set():
                found.setdefault(program.wanted, []).extend(self.nodes if name == CONTROLLER else [name])
        return found

    def _device(self) -> str:
        urgent = [*self.pressing.get(Needs.CANCEL, []), *self.pressing.get(Needs.COMMAND, [])]
        up = [name for name in self.nodes if self._is_up(name)]
        if Needs.WAITING in self.pressing and len(up) < len(self.nodes):
            return self.random.choice([name for name in self.nodes if name not in up])
        if urgent and self.random.random() < 0.6:
            return self.random.choice(urgent)
        return self.random.choice(up if up and self.random.random() < 0.95 else self.nodes)

    def _tool(self, device_id: str) -> tuple[str, float]:
        random = self.random
        if device_id in self.pressing.get(Needs.CANCEL, ()):
            return marks.SLOW, 0.8
        tools = (
            (marks.QUICK, 0.0),
            (marks.SLOW, round(random.uniform(0.1, 1.2), 2)),
            (marks.DEAF, random.choice((0.4, 1.5))),
            (marks.FAILING, 0.0),
            (marks.LOOK, round(random.uniform(0.0, 0.3), 2)),
        )
        return random.choices(tools, weights=(60, 20, 4, 4, 12))[0]

    def _is_up(self, device_id: str) -> bool:
        program = self.programs[device_id]
        return program.up.is_set() and not program.away

"""What is attempted and what was seen of it: one row a test, and the page that shows them.

A test says with `@attempt` who attacks, what is tried, what must not come of it, and who may do
the same. It says with `Seen` that the latter succeeded and what became of the attempt. Rows are
made by tests that passed, so the page cannot say what was not seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN = "<!-- The rows below are written by `python -m tests.security --write`; a test compares them. -->"

Test = TypeVar("Test", bound=Callable[..., object])


class Attacker(Enum):
    """What the attacker holds, in the order of the page."""

    NOTHING = "Nothing but a way to the broker"
    DEVICE = "A device's credentials"
    REVOKED = "The credentials of a device that was removed or revoked"
    VIEWER = "A viewer's credentials"
    OPERATOR = "An operator's credentials"
    DEBUG = "A debugging user's credentials"
    JOIN_CODE = "A join code: stolen, used, expired or guessed"
    BROKER = "Full administration of the broker, without the controller's key"
    TRAFFIC = "A copy of all past traffic, and the broker to send it again"


@dataclass(frozen=True)
class Attempt:
    """One thing that is tried. The texts may name a test's parameters as `{name}`."""

    by: Attacker
    act: str
    never: str
    control: str

    def of(self, parameters: Mapping[str, Any]) -> "Attempt":
        """The attempt of one set of parameters."""
        texts = (text.format(**parameters) for text in (self.act, self.never, self.control))
        return Attempt(self.by, *texts)


@dataclass(frozen=True)
class Row:
    """An attempt and what became of it."""

    attempt: Attempt
    outcome: str


@dataclass
class Seen:
    """What one test saw. It passes only with a control that succeeded and an outcome."""

    allowed: bool = False
    outcome: str = ""

    def control(self, succeeded: object) -> None:
        """Who may do the same has done it, as this shows."""
        assert succeeded, "the same act by who may do it came to nothing: the attempt proves nothing"
        self.allowed = True

    def became(self, *observed: str) -> None:
        """What became of the attempt, in the words that the page shows."""
        self.outcome = "; ".join(observed)


@dataclass
class Table:
    """The rows of this session, by the test that made each."""

    rows: dict[str, Row] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The page's part under its mark."""
        found: list[str] = [f"{len(self.rows)} attempts."]
        number = 0
        for attacker in Attacker:
            rows = [row for row in self.rows.values() if row.attempt.by is attacker]
            if not rows:
                continue
            found += ["", f"### {attacker.value}", "", *HEAD]
            for row in sorted(rows, key=lambda row: row.attempt.act):
                number += 1
                attempt = row.attempt
                cells = (str(number), attempt.act, attempt.never, row.outcome, attempt.control)
                found.append("| " + " | ".join(cells) + " |")
        return found


HEAD = (
    "| | what is tried | what must not come of it | what was seen | who may do it, and did |",
    "| --- | --- | --- | --- | --- |",
)
TABLE = pytest.StashKey[Table]()


def attempt(by: Attacker, act: str, *, never: str, control: str) -> Callable[[Test], Test]:
    """Declare what a test tries."""

    def declare(test: Test) -> Test:
        vars(test)["attempt"] = Attempt(by, act, never, control)
        return test

    return declare


def declared(item: pytest.Item) -> Attempt | None:
    """What a collected test tries, None when it is no attempt."""
    if not isinstance(item, pytest.Function):
        return None
    found = getattr(item.function, "attempt", None)
    callspec = getattr(item, "callspec", None)
    return found.of(callspec.params if callspec else {}) if isinstance(found, Attempt) else None


def written() -> list[str]:
    """The page's part under its mark, as it is in the repository."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].strip().split("\n")


def write(table: Table) -> None:
    """Put the rows of this session on the page."""
    head = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    PAGE.write_text("\n".join([head + BEGIN, "", *table.lines(), ""]), encoding="utf-8")

"""What a check is and what it finds: a rule in one sentence, and whether a device kept it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orion.conform.examination import Examination


class State(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    BROKEN = "broken"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a check ended, and what was seen or why it was not tried."""

    state: State
    seen: str = ""


def passed(seen: str = "") -> Verdict:
    """The device kept the rule."""
    return Verdict(State.PASSED, seen)


def broken(seen: str) -> Verdict:
    """It did not; `seen` says what it did instead."""
    return Verdict(State.BROKEN, seen)


def untried(why: str) -> Verdict:
    """It could not be seen."""
    return Verdict(State.NOT_TRIED, why)


def judged(faults: list[str], seen: str = "") -> Verdict:
    """Broken with the first faults, passed when there are none."""
    more = f" (and {len(faults) - MOST_TOLD} more)" if len(faults) > MOST_TOLD else ""
    return broken("; ".join(faults[:MOST_TOLD]) + more) if faults else passed(seen)


MOST_TOLD = 3  # faults of one check


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of `wire.md`. `name`: its subject, a dot, and what it is about."""

    name: str
    rule: str
    look: "Callable[[Examination], Awaitable[Verdict]]"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check with its verdict."""

    check: Check
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check.name,
            "rule": self.check.rule,
            "state": self.verdict.state.value,
            "seen": self.verdict.seen or None,
        }

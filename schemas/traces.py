"""Traces as W3C Trace Context has them: which pieces of work, in whichever program, belong together.

A trace id is a label that whoever calls may choose. Nothing may be allowed, joined or decided by it.
"""

import re
import secrets
from dataclasses import dataclass

HEADER = "traceparent"
_LAID_OUT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?",
    re.ASCII | re.DOTALL,
)
_LONGEST = 200  # characters of a later version's


@dataclass(frozen=True, slots=True)
class Trace:
    """One piece of work (`span_id`, 16 hex digits) of one trace (`trace_id`, 32)."""

    trace_id: str
    span_id: str

    def below(self) -> "Trace":
        """Another piece of work, which is a part of this one."""
        return Trace(self.trace_id, secrets.token_hex(8))

    @property
    def traceparent(self) -> str:
        """As a header or a user property says it."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def begun() -> Trace:
    """The first piece of work of a trace of its own."""
    drawn = secrets.token_hex(24)
    return Trace(drawn[:32], drawn[32:])


def of_command(trace_id: str, command_id: str) -> Trace:
    """The work of one command, from its submission to its end: the same one at each attempt and after a restart."""
    return Trace(trace_id, command_id.replace("-", "")[-16:])


def parse(traceparent: str) -> Trace | None:
    """The caller's piece of work; None for what is not a `traceparent` to the letter."""
    found = _LAID_OUT.fullmatch(traceparent) if len(traceparent) <= _LONGEST else None
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"] is not None):
        return None
    if not found["trace"].strip("0") or not found["span"].strip("0"):
        return None
    return Trace(found["trace"], found["span"])

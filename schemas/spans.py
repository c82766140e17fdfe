"""Pieces of work as whoever looks on is told of them: when, how long, a part of what, how it went.

Where nobody looks on nothing is made. To tell never waits and never fails: that is for whoever is told.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import time
from typing import Literal

from schemas import context, traces
from schemas.traces import Trace

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Fact = str | int | float | bool
Facts = dict[str, Fact]


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work that is over. Times are seconds since 1970; `failed` is why, if it did."""

    trace: Trace
    parent: str | None  # the piece of work that this is a part of
    name: str
    kind: Kind
    began_at: float
    ended_at: float
    facts: Mapping[str, Fact]
    failed: str | None = None


class Spans:
    """Tells of pieces of work. `tell` is whoever looks on."""

    def __init__(self, tell: Callable[[Span], None] | None = None) -> None:
        self._tell = tell

    @property
    def wanted(self) -> bool:
        """Whether anybody looks on."""
        return self._tell is not None

    def tell(self, span: Span) -> None:
        """Tell of work that is over."""
        if self._tell is not None:
            self._tell(span)

    @contextmanager
    def within(self, name: str, kind: Kind = "internal", **facts: Fact) -> Iterator[Facts]:
        """Tell of the work inside the block, a part of the work at hand; facts may be added to what is given."""
        if self._tell is None:
            yield {}
            return
        outer = context.trace()
        with self._told(
            outer.below() if outer else traces.begun(), outer.span_id if outer else None, name, kind
        ) as told:
            told |= facts
            yield told

    def over(
        self, name: str, kind: Kind, began_at: float, *, failed: str | None = None, **facts: Fact
    ) -> None:
        """Tell of work that ended now, a part of the work at hand. For a generator, which cannot be a block."""
        if self._tell is not None:
            outer = context.trace()
            trace = outer.below() if outer else traces.begun()
            parent = outer.span_id if outer else None
            self._tell(Span(trace, parent, name, kind, began_at, time(), facts, failed))

    @contextmanager
    def of(self, trace: Trace, parent: str | None, name: str, kind: Kind) -> Iterator[Facts]:
        """The same for work whose place is known."""
        if self._tell is None:
            with context.about(trace):
                yield {}
            return
        with self._told(trace, parent, name, kind) as told:
            yield told

    @contextmanager
    def _told(self, trace: Trace, parent: str | None, name: str, kind: Kind) -> Iterator[Facts]:
        began_at, told, failed = time(), Facts(), None
        try:
            with context.about(trace):
                yield told
        except BaseException as error:
            failed = type(error).__name__
            raise
        finally:
            failed = failed or (str(told.pop("failed")) if "failed" in told else None)
            self.tell(Span(trace, parent, str(told.pop("name", name)), kind, began_at, time(), told, failed))

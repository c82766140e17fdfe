"""What the work at hand is about: its trace, and the ids that its log lines are marked with.

It goes along with a task, and into threads that work for it. It is for whoever reads later; nothing
is decided by it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from schemas.traces import Trace

_NOTHING: Mapping[str, str] = {}
_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=_NOTHING)


def trace() -> Trace | None:
    """The piece of work that is done now; None where nobody traces."""
    return _trace.get()


def trace_id() -> str | None:
    """The trace that this belongs to."""
    found = _trace.get()
    return None if found is None else found.trace_id


def ids() -> Mapping[str, str]:
    """Which command, device and user this is about, as far as it is known."""
    return _ids.get()


def mark(**ids: str) -> None:
    """From here on this task's work is also about these."""
    _ids.set({**_ids.get(), **ids})


@contextmanager
def about(trace: Trace | None = None, **ids: str) -> Iterator[None]:
    """Inside the block, the work is about these; without a trace it stays in the one that it was in."""
    before = _trace.set(_trace.get() if trace is None else trace)
    marked = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(marked)
        _trace.reset(before)

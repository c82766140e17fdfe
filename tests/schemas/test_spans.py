"""Work is told of as it nests, with how it went; where nobody looks on nothing is made."""

import pytest

from schemas import context, traces
from schemas.spans import Span, Spans


def test_what_is_done_within_other_work_is_a_part_of_it() -> None:
    told: list[Span] = []
    spans = Spans(told.append)
    with spans.within("whole", "server", a=1) as facts:
        facts["b"] = 2
        with spans.within("part"):
            spans.over("note", "client", 0.0)

    note, part, whole = told
    assert (whole.parent, part.parent, note.parent) == (None, whole.trace.span_id, part.trace.span_id)
    assert len({span.trace.trace_id for span in told}) == 1
    assert whole.facts == {"a": 1, "b": 2}
    assert whole.ended_at >= part.ended_at >= part.began_at >= whole.began_at
    assert context.trace() is None


def test_what_raised_is_told_as_failed_and_goes_on_raising() -> None:
    told: list[Span] = []
    with pytest.raises(KeyError), Spans(told.append).within("work"):
        raise KeyError

    (span,) = told
    assert span.failed == "KeyError"


def test_where_nobody_looks_on_the_work_stays_what_it_was() -> None:
    here = traces.begun()
    with context.about(here), Spans().within("work") as facts:
        facts["a"] = 1
        assert context.trace() == here
    with Spans().of(here, None, "request", "server"):
        assert context.trace() == here

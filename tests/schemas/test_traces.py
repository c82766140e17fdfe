"""A `traceparent` is taken to the letter or not at all, and ids of ours are what W3C asks for."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from schemas import context, traces
from schemas.ids import new_id
from schemas.traces import Trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OURS = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")


@pytest.mark.parametrize(
    "said",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",
        f"01-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-09-what-is-more",
    ],
)
def test_what_is_one_is_taken(said: str) -> None:
    assert traces.parse(said) == Trace(TRACE, SPAN)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01.more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN[:-1]}٣-01",
        f"01-{TRACE}-{SPAN}-01-{'x' * 10_000}",
    ],
)
def test_what_is_none_counts_for_nothing(said: str) -> None:
    assert traces.parse(said) is None


@given(some.text())
def test_no_text_breaks_it(said: str) -> None:
    assert traces.parse(said) is None


def test_ours_are_what_others_take() -> None:
    first = traces.begun()
    part = first.below()

    assert OURS.fullmatch(first.traceparent)
    assert traces.parse(part.traceparent) == part
    assert part.trace_id == first.trace_id
    assert part.span_id != first.span_id
    assert first != traces.begun()


def test_a_commands_piece_of_work_is_the_same_whenever_it_is_asked_for() -> None:
    command_id = new_id()

    assert traces.of_command(TRACE, command_id) == traces.of_command(TRACE, command_id)
    assert OURS.fullmatch(traces.of_command(TRACE, command_id).traceparent)


async def test_what_work_is_about_goes_along_with_it_and_not_beyond() -> None:
    found = []

    async def work() -> None:
        context.mark(command_id="c")
        found.append((context.trace_id(), dict(context.ids())))

    with context.about(Trace(TRACE, SPAN), user="ada"):
        await asyncio.create_task(work())
        with context.about(device_id="laptop"):
            found.append((context.trace_id(), dict(context.ids())))
        found.append((context.trace_id(), dict(context.ids())))
    found.append((context.trace_id(), dict(context.ids())))

    assert found == [
        (TRACE, {"user": "ada", "command_id": "c"}),
        (TRACE, {"user": "ada", "device_id": "laptop"}),
        (TRACE, {"user": "ada"}),
        (None, {}),
    ]

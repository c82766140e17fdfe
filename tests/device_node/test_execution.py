"""Tools in threads: deadlines, stops, and tools that do not listen."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from device_node import execution, outcomes, tools
from device_node.execution import Executor
from device_node.journal import Journal
from device_node.outcomes import Outcome
from device_node.safety.errors import ToolError
from device_node.safety.policy import LocalPolicy
from device_node.tools.tool import BuiltIn, Call, NodeContext, Result
from schemas.builtin import TOOLS
from schemas.commands import ReplyStatus
from schemas.errors import ErrorCode


class NoControl:
    """A program that can do nothing with itself."""

    can_update = False

    def restart(self) -> None:
        return

    def reload(self) -> Result:
        return {}

    def update(self) -> Result:
        return {}


@pytest.fixture
async def executor(tmp_path: Path) -> AsyncIterator[Executor]:
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    for number in range(5):
        await journal.receive(f"id-{number}", reply_to="r", expires_at=0.0, now=0.0)
    yield Executor(journal)
    await journal.close()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets a tool end that waits for it."""
    event = threading.Event()
    yield event
    event.set()


async def run(
    executor: Executor,
    function: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    within_s: float = 5.0,
    stop: asyncio.Event | None = None,
    why: ReplyStatus = ReplyStatus.CANCELLED,
    number: int = 0,
) -> Outcome:
    """Run a call of `system_info` that does what `function` says."""
    monkeypatch.setitem(tools.TOOLS, "system_info", BuiltIn(TOOLS["system_info"], function))
    monkeypatch.setattr(execution, "GRACE", 0.2)
    context = NodeContext(policy=LocalPolicy(), data_dir=tmp_path, control=NoControl())
    call = Call(f"id-{number}", "system_info", {}, context)
    return await outcomes.of(
        executor, call, asked_to_stop=stop or asyncio.Event(), why_stop=lambda: why, within_s=within_s
    )


async def test_fault_in_a_tool_is_internal_and_shows_no_traceback(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def faulty(_call: Call) -> Result:
        raise ZeroDivisionError("secret detail")

    outcome = await run(executor, faulty, monkeypatch, tmp_path)
    assert outcome.status is ReplyStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.code == ErrorCode.INTERNAL
    assert "secret detail" not in outcome.error.message


async def test_result_beyond_the_limit_is_too_large(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = await run(executor, lambda _call: {"text": "x" * 190_000}, monkeypatch, tmp_path)
    assert outcome.error is not None
    assert outcome.error.code == ErrorCode.PAYLOAD_TOO_LARGE


async def test_tool_that_heard_the_stop_may_put_away_what_it_had_half_done(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def tidying(call: Call) -> Result:
        try:
            call.rest(30)
        finally:
            threading.Event().wait(0.6)  # longer than the grace
        return {}

    stop = asyncio.Event()
    stop.set()
    outcome = await run(executor, tidying, monkeypatch, tmp_path, stop=stop)
    assert outcome.status is ReplyStatus.CANCELLED


async def test_tool_that_listens_is_cancelled(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def listening(call: Call) -> Result:
        call.rest(30)
        return {}

    stop = asyncio.Event()
    stop.set()
    outcome = await run(executor, listening, monkeypatch, tmp_path, stop=stop)
    assert outcome.status is ReplyStatus.CANCELLED


async def test_tool_that_does_not_listen_is_given_up_and_others_still_run(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: threading.Event
) -> None:
    def deaf(_call: Call) -> Result:
        release.wait(30)
        return {}

    outcome = await run(executor, deaf, monkeypatch, tmp_path, within_s=0.05)
    assert outcome.status is ReplyStatus.INTERRUPTED  # it still runs, so nobody knows
    assert outcome.error is not None
    assert "not done within 0.05 s" in outcome.error.message
    outcome = await run(executor, lambda _call: {}, monkeypatch, tmp_path, number=1)
    assert outcome.status is ReplyStatus.SUCCEEDED


async def test_tool_that_stops_at_its_deadline_has_timed_out(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = await run(executor, lambda call: call.rest(30), monkeypatch, tmp_path, within_s=0.05)
    assert outcome.status is ReplyStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.code == ErrorCode.TIMEOUT


async def test_cancel_that_a_tool_does_not_hear_is_an_interruption(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: threading.Event
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def deaf(_call: Call) -> Result:
        loop.call_soon_threadsafe(stop.set)
        release.wait(30)
        return {}

    outcome = await run(executor, deaf, monkeypatch, tmp_path, stop=stop)
    assert outcome.status is ReplyStatus.INTERRUPTED
    assert outcome.error is not None
    assert outcome.error.code == ErrorCode.INTERRUPTED


async def test_command_that_was_started_before_is_not_started(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs: list[str] = []

    def counted(call: Call) -> Result:
        runs.append(call.command_id)
        return {}

    for _ in range(2):
        outcome = await run(executor, counted, monkeypatch, tmp_path)
    assert runs == ["id-0"]
    assert outcome.status is ReplyStatus.CANCELLED


async def test_too_many_hanging_tools_stop_the_intake(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: threading.Event
) -> None:
    monkeypatch.setattr(execution, "MAX_ABANDONED", 2)

    def deaf(_call: Call) -> Result:
        release.wait(30)
        return {}

    assert executor.can_start()
    for number in range(2):
        await run(executor, deaf, monkeypatch, tmp_path, within_s=0.01, number=number)
    assert not executor.can_start()


async def test_work_that_was_done_after_all_counts_as_done(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def just_late(call: Call) -> Result:
        call.cancelled.wait(30)
        return {"done": True}

    outcome = await run(executor, just_late, monkeypatch, tmp_path, within_s=0.05)
    assert (outcome.status, outcome.result) == (ReplyStatus.SUCCEEDED, {"done": True})


async def test_end_of_the_program_is_an_interruption(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stop = asyncio.Event()
    stop.set()
    outcome = await run(
        executor, lambda call: call.rest(30), monkeypatch, tmp_path, stop=stop, why=ReplyStatus.INTERRUPTED
    )
    assert outcome.status is ReplyStatus.INTERRUPTED


async def test_path_refused_at_the_moment_of_use_is_a_rejection(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def swapped(_call: Call) -> Result:
        raise ToolError(ErrorCode.PATH_NOT_ALLOWED, "It leads outside.")

    outcome = await run(executor, swapped, monkeypatch, tmp_path)
    assert outcome.status is ReplyStatus.REJECTED

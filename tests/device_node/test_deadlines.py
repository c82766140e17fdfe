"""Deadlines count the time that a machine sleeps: nothing starts late, and nothing goes on for ever."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from broker.session.steady import steady
from device_node import execution, outcomes, tools
from device_node.execution import Executor
from device_node.journal import Journal
from device_node.safety.policy import LocalPolicy
from device_node.tools.tool import BuiltIn, Call, NodeContext, Result
from schemas.builtin import TOOLS
from schemas.commands import ReplyStatus
from schemas.errors import ErrorCode
from tests.device_node.test_execution import NoControl


class Machine:
    """Sleeps when it is told to, between two looks at the clock."""

    def __init__(self) -> None:
        self.slept = 0.0

    def steady(self) -> float:
        return steady() + self.slept


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    await journal.receive("c1", reply_to="r", expires_at=0.0, now=0.0)
    yield journal
    await journal.close()


@pytest.fixture
def calling(
    journal: Journal, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Call], Result]], tuple[Executor, Call]]:
    """An executor on that machine, and a call of a tool that does what it is told."""

    def make(function: Callable[[Call], Result]) -> tuple[Executor, Call]:
        monkeypatch.setitem(tools.TOOLS, "system_info", BuiltIn(TOOLS["system_info"], function))
        context = NodeContext(policy=LocalPolicy(), data_dir=tmp_path, control=NoControl())
        return Executor(journal, steady=machine.steady), Call("c1", "system_info", {}, context)

    return make


async def test_tool_does_not_start_when_the_machine_slept_while_it_was_written_down(
    journal: Journal,
    machine: Machine,
    calling: Callable[[Callable[[Call], Result]], tuple[Executor, Call]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []

    def runs(call: Call) -> Result:
        ran.append(call.command_id)
        return {}

    executor, call = calling(runs)
    write = journal.start

    def written_at_last(command_id: str, *, changes: bool, again: bool = False) -> bool:
        started = write(command_id, changes=changes, again=again)
        machine.slept = 3_600.0
        return started

    monkeypatch.setattr(journal, "start", written_at_last)

    outcome = await outcomes.of(
        executor,
        call,
        asked_to_stop=asyncio.Event(),
        why_stop=lambda: ReplyStatus.CANCELLED,
        within_s=30,
        deadline=machine.steady() + 60,
    )

    assert outcome.status is ReplyStatus.EXPIRED
    assert outcome.error is not None
    assert outcome.error.code == ErrorCode.EXPIRED
    assert ran == []


async def test_tool_that_ran_into_a_sleep_is_out_of_time_after_it(
    machine: Machine,
    calling: Callable[[Callable[[Call], Result]], tuple[Executor, Call]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution, "LOOK_EVERY", 0.05)
    started = threading.Event()

    def waits(call: Call) -> Result:
        started.set()
        call.rest(60)
        return {}

    executor, call = calling(waits)
    running = asyncio.create_task(
        outcomes.of(
            executor,
            call,
            asked_to_stop=asyncio.Event(),
            why_stop=lambda: ReplyStatus.CANCELLED,
            within_s=30,
        )
    )
    await asyncio.to_thread(started.wait, 10)
    machine.slept = 3_600.0

    async with asyncio.timeout(10):
        outcome = await running
    assert outcome.error is not None
    assert outcome.error.code == ErrorCode.TIMEOUT

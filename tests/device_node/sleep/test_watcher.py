"""A sleep is said before it, noticed after it, and ends once, whoever tells of it."""

import asyncio
import logging

import pytest

from device_node.sleep import Pulse, Watcher


class Machine:
    """Two clocks, of which one stands still while the machine sleeps, and a node that is told what to do."""

    def __init__(self) -> None:
        self.clock = 5_000.0
        self.slept = 0.0
        self.done: list[str] = []
        self.pulse = Pulse(steady=lambda: self.clock, awake=lambda: self.clock - self.slept)
        self.watcher = Watcher(self.pulse, self, self, awake=lambda: self.clock - self.slept)
        self.watcher.look()

    def runs(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock += 1
            self.watcher.look()

    def sleeps(self, seconds: float) -> None:
        self.clock += seconds
        self.slept += seconds

    async def rest(self, reason: str) -> None:
        self.done.append(f"says {reason}")

    def resume(self) -> None:
        self.done.append("connects")

    def hold(self) -> None:
        self.done.append("holds")

    def go_on(self) -> None:
        self.done.append("goes on")


@pytest.fixture
def machine() -> Machine:
    return Machine()


async def test_announced_sleep_is_said_and_ends_with_one_connection(machine: Machine) -> None:
    await machine.watcher.falls_asleep()
    assert machine.done == ["holds", "says sleeping"]
    machine.sleeps(3_600)
    machine.watcher.wakes()
    machine.runs(5)
    assert machine.done[2:] == ["connects", "goes on"]


async def test_waking_that_is_noticed_before_it_is_told_counts_once(machine: Machine) -> None:
    await machine.watcher.falls_asleep()
    machine.sleeps(3_600)
    machine.runs(1)
    machine.watcher.wakes()
    machine.runs(5)
    assert machine.done[2:] == ["connects", "goes on"]


def test_sleep_that_nobody_announced_ends_with_a_connection(machine: Machine) -> None:
    machine.runs(30)
    machine.sleeps(600)
    machine.runs(5)
    assert machine.done == ["connects", "goes on"]


def test_machine_that_never_sleeps_is_left_alone(machine: Machine) -> None:
    machine.runs(300)
    machine.clock += 90  # the program was stopped, the machine was not
    machine.runs(5)
    assert machine.done == []


async def test_sleep_that_does_not_come_is_not_waited_for_for_ever(machine: Machine) -> None:
    await machine.watcher.falls_asleep()
    machine.runs(59)
    assert len(machine.done) == 2
    machine.runs(3)
    assert machine.done[2:] == ["connects", "goes on"]


@pytest.mark.looptime
async def test_broker_that_does_not_answer_holds_the_sleep_up_for_two_seconds(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(_reason: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(machine, "rest", never)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with caplog.at_level(logging.WARNING):
        await machine.watcher.falls_asleep()
    assert loop.time() - begun == 2.0
    assert "did not hear in time" in caplog.text


def test_message_read_right_after_a_pause_may_be_as_old_as_the_pause(machine: Machine) -> None:
    machine.runs(3)
    assert machine.pulse.waited(machine.clock + 0.4) == 0
    machine.clock += 90
    assert machine.pulse.waited(machine.clock) == 90  # before the next beat
    machine.watcher.look()
    assert machine.pulse.waited(machine.clock + 1) == 91
    machine.runs(5)
    assert machine.pulse.waited(machine.clock) == 0

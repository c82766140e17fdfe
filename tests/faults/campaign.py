"""One run: everything up, then broken as planned under load, then left in peace, then judged."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from broker import process
from controller.store.engine import sqlite_url
from tests.faults import disk, happenings, judge
from tests.faults.judge import Judgement
from tests.faults.load import Load
from tests.faults.marks import Marks
from tests.faults.plan import BROKER, CONTROLLER, Disturbance, Kind, Plan
from tests.faults.points import Needs
from tests.faults.proxy import Line
from tests.faults.stand import Stand, stand
from tests.faults.zygote import Zygote, send

PRESS_EVERY = 0.25  # seconds between two cancels by hand for a point that needs one
AWAY_FOR = 1.8  # seconds: longer than the delay of a will
SETTLE_LOOK_EVERY = 0.25
SAVED_WITHIN = 0.1  # seconds for Mosquitto to write its file
LINES = {Kind.CUT: Line.CUT, Kind.SILENT: Line.SILENT, Kind.HALF: Line.HALF}


@dataclass(slots=True)
class Outcome:
    """What a run did, and what the judgement says of it."""

    plan: Plan
    judgement: Judgement
    took_s: float
    kills: dict[str, int]  # by program and how
    busy_kills: dict[str, int]
    done: dict[str, int] = field(default_factory=dict)  # disturbances, by kind
    repeated: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Campaign:
    """Carries a plan out on a stand."""

    def __init__(self, on: Stand) -> None:
        self._on = on
        self._plan = on.plan
        self.done: dict[str, int] = {}
        self.mosquitto_kills = 0

    async def run(self) -> None:
        """Break everything as planned, then let it come to rest."""
        enough = asyncio.Event()
        load = Load(self._on.client, self._on.programs, self._on.ledger, self._plan.size, self._plan.seed)
        loading = asyncio.create_task(load.run(enough), name="load")
        pressing = asyncio.create_task(self._press(), name="press")
        parting = asyncio.create_task(self._part(), name="part")
        breaking = asyncio.create_task(self._break(), name="break")
        began = monotonic()
        for name in (CONTROLLER, *self._on.nodes):
            self._on.programs[name].kill()  # its planned lives begin
        try:
            while not self._finished(breaking) and monotonic() - began < self._plan.size.within_s:
                await asyncio.sleep(0.1)
                for task in (loading, breaking, pressing, parting):
                    if task.done():
                        task.result()
        finally:
            enough.set()
            for task in (breaking, pressing, parting):
                task.cancel()
            await asyncio.gather(breaking, pressing, parting, return_exceptions=True)
            self._mend()
            await loading
        self._count_what_is_left()

    def _finished(self, breaking: asyncio.Task[None]) -> bool:
        size = self._plan.size
        programs = [program for name, program in self._on.programs.items() if name != BROKER]
        events = judge.noted(self._on.folder).kept
        return (
            breaking.done()
            and all(program.done.is_set() for program in programs)
            and len(self._on.ledger.returned) >= size.commands
            and len(Marks.read(self._on.folder / "marks").counts) >= size.commands / 2
            and (len(events) >= size.events or not events)
        )

    def _count_what_is_left(self) -> None:
        for name, program in self._on.programs.items():
            if program.left:
                self._on.notes.append(f"{program.left} lives of {name} did not find the time.")
            program.calm()
            for point, times in program.missed.items():
                self._on.notes.append(f"{name}: {point!r} was not reached {times} times.")

    async def settle(self) -> list[str]:
        """Wait until nothing is open and every event is stored; what is not, in sentences."""
        deadline = monotonic() + self._plan.size.settle_within_s
        unsettled = ["nothing was looked at"]
        while unsettled and monotonic() < deadline:
            await asyncio.sleep(SETTLE_LOOK_EVERY)
            unsettled = await asyncio.to_thread(judge.unsettled, self._on)
        return unsettled

    async def _break(self) -> None:
        for one in self._plan.disturbances:
            await asyncio.sleep(one.pause_s)
            await self._disturb(one)
            self.done[one.kind.value] = self.done.get(one.kind.value, 0) + 1

    async def _disturb(self, one: Disturbance) -> None:
        match one.kind:
            case Kind.BROKER_KILLED:
                await self._kill_mosquitto()
            case Kind.BROKER_REMEMBERS:
                await self._signal_mosquitto(signal.SIGUSR1)  # it saves
                await asyncio.sleep(SAVED_WITHIN)
                await self._kill_mosquitto()
            case Kind.BROKER_FORGETS:
                await self._forget_persistence()
            case Kind.CUT | Kind.SILENT | Kind.HALF:
                line = self._on.proxies[one.target]
                line.break_off(LINES[one.kind])
                await asyncio.sleep(one.seconds)
                line.restore()
            case _:
                await self._disturb_programs(one)

    async def _disturb_programs(self, one: Disturbance) -> None:
        on = self._on
        target = on.programs[one.target]
        node = one.target if one.target in on.nodes else on.nodes[self._plan.seed % len(on.nodes)]
        match one.kind:
            case Kind.TWO_AT_ONCE:
                target.kill()
                on.programs[CONTROLLER if one.target != CONTROLLER else node].kill()
            case Kind.PAUSED:
                target.pause()
                await asyncio.sleep(one.seconds)
                target.go_on()
            case Kind.DISK_FULL:
                await self._fill_disk(one.seconds)
            case Kind.REPEATED:
                for name in on.nodes:
                    on.tap.repeat(name)
            case _:
                await on.tap.retain_a_command(node)

    async def _fill_disk(self, seconds: float) -> None:
        small = self._on.small_disk
        if small is None:
            return
        await asyncio.to_thread(disk.fill, small)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(disk.free, small)

    async def _kill_mosquitto(self) -> None:
        self.mosquitto_kills += await self._signal_mosquitto(signal.SIGKILL)

    async def _signal_mosquitto(self, what: signal.Signals) -> bool:
        running = await asyncio.to_thread(process.running, self._on.broker_directory)
        if running is None:
            return False
        send(running.pid, what)
        return True

    async def _forget_persistence(self) -> None:
        supervisor = self._on.programs[BROKER]
        supervisor.pause()  # it must not start another one before the file is gone
        await self._kill_mosquitto()
        await asyncio.to_thread((self._on.broker_directory / "mosquitto.db").unlink, missing_ok=True)
        supervisor.kill()

    async def _press(self) -> None:
        """A node that is to die over a cancel needs one that comes late or twice."""
        while True:
            await asyncio.sleep(PRESS_EVERY)
            for name in self._on.nodes:
                if self._on.programs[name].wanted is Needs.CANCEL:
                    self._on.tap.cancel_again(name)

    async def _part(self) -> None:
        """A controller that is to die over an order that waits needs a device that is away."""
        on = self._on
        turns = 0
        while True:
            await asyncio.sleep(PRESS_EVERY)
            if on.programs[CONTROLLER].wanted is not Needs.WAITING or not on.programs[CONTROLLER].up.is_set():
                continue
            name = on.nodes[turns % len(on.nodes)]
            turns += 1
            on.programs[name].away = True
            on.proxies[name].break_off(Line.CUT)
            await asyncio.sleep(AWAY_FOR)
            on.proxies[name].restore()
            on.programs[name].away = False

    def _mend(self) -> None:
        on = self._on
        happenings.quiet(on.folder / "events").touch()
        for proxy in on.proxies.values():
            proxy.restore()
        for program in on.programs.values():
            program.away = False
            program.go_on()
        if on.small_disk is not None:
            disk.free(on.small_disk)
        on.tap.clear_retained(on.nodes)


async def carry_out(
    driver: Zygote,
    plan: Plan,
    folder: Path,
    *,
    database: str | None = None,
    sabotage: str | None = None,
    died: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run a plan and judge it; without the URL of a database in a file."""
    began = monotonic()
    url = database or sqlite_url(folder / "orion.db")
    async with stand(driver, folder, plan, database=url, sabotage=sabotage, died=died) as on:
        campaign = Campaign(on)
        await campaign.run()
        unsettled = await campaign.settle()
        for name in on.nodes:
            await on.programs[name].stop()  # nobody else may read a journal that is in use
        found = await judge.judge(on, unsettled)
    kills: dict[str, int] = {f"{BROKER}: Mosquitto": campaign.mosquitto_kills}
    busy: dict[str, int] = {}
    for name, program in on.programs.items():
        kind = "node" if name in on.nodes else name
        for table, counts in ((kills, program.kills), (busy, program.busy_kills)):
            for how, times in counts.items():
                table[f"{kind}: {how}"] = table.get(f"{kind}: {how}", 0) + times
        found.faults.extend(program.crashes)
    return Outcome(
        plan, found, monotonic() - began, kills, busy, campaign.done, dict(on.ledger.repeated), on.notes
    )

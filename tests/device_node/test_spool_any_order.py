"""Whatever happens to the line and to the program: all is sent, in order, until it is acknowledged."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device_node.journal import Kind, Limits, Spooled
from device_node.spool import Spool
from schemas.events import Event, Severity
from tests.device_node.journal.lives import Lives

NOON = datetime(2026, 2, 12, 12, tzinfo=UTC)


class AnyOrder(RuleBasedStateMachine):
    """Replies and events, Acks, connects, losses of the line and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.lives = Lives(Path(self.folder.name), Limits(spooled=1_000))
        self.runner.run(self.lives.begin())
        self.number = 0
        self.made: list[tuple[Kind, str]] = []
        self.acknowledged: set[tuple[Kind, str]] = set()
        self.sent: list[tuple[Kind, str]] = []  # first sendings of this life
        self.on_this_line: list[tuple[Kind, str]] = []
        self.running: asyncio.Task[None] | None = None
        self._begin()

    def teardown(self) -> None:
        self._disconnect()
        self._connect()
        self._rest()
        assert len(self.spool) == 0
        assert self.runner.run(self.lives.journal.waiting()) == []
        self._disconnect()
        self.runner.run(self.lives.end())
        self.runner.close()
        asyncio.set_event_loop(None)
        self.folder.cleanup()

    @rule(count=st.integers(1, 40))
    def reply(self, count: int) -> None:
        async def settle() -> None:
            for _ in range(count):
                self.number += 1
                name = f"c-{self.number}"
                await self.lives.journal.receive(name, reply_to="t", expires_at=0.0, now=0.0)
                await self.lives.journal.finish(name, reply_to="t", reply=name.encode())
                self.made.append((Kind.REPLY, name))
                self.spool.add(Spooled(Kind.REPLY, name, "t"), name.encode())

        self.runner.run(settle())

    @rule(count=st.integers(1, 40))
    def report(self, count: int) -> None:
        async def tell() -> None:
            for _ in range(count):
                self.number += 1
                event = Event(id=f"e-{self.number}", type="test", severity=Severity.INFO, data={}, at=NOON)
                await self.lives.journal.report(event, "t")
                self.made.append((Kind.EVENT, event.id))
                self.spool.add(Spooled(Kind.EVENT, event.id, "t"), event.encode())

        self.runner.run(tell())

    @rule()
    def line_comes(self) -> None:
        if self.running is None:
            self._connect()

    @rule()
    def line_goes(self) -> None:
        self._disconnect()

    @rule()
    def rest(self) -> None:
        self._rest()

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """A controller may acknowledge only some, and what an earlier line brought."""
        if self.on_this_line:
            first = data.draw(st.integers(0, len(self.on_this_line) - 1))
            self._acknowledge(self.on_this_line[first:])

    @rule(data=st.data())
    def settle_otherwise(self, data: st.DataObject) -> None:
        """The file loses a message without the spool being told."""
        waiting = [key for key in self.made if key not in self.acknowledged]
        if waiting:
            kind, name = data.draw(st.sampled_from(waiting))
            self.acknowledged.add((kind, name))
            gone = {Kind.REPLY: ([name], []), Kind.EVENT: ([], [name])}[kind]
            self.runner.run(self.lives.journal.acknowledge(replies=gone[0], events=gone[1]))

    @rule()
    def crash(self) -> None:
        self._disconnect()
        self.runner.run(self.lives.crash())
        self.sent = []
        self._begin()

    @rule()
    def load_again(self) -> None:
        """As after trouble with the journal."""
        self.runner.run(self.spool.load())

    @invariant()
    def first_sendings_of_a_kind_are_in_order(self) -> None:
        for kind in Kind:
            firsts = [int(name[2:]) for one, name in self.sent if one is kind]
            assert firsts == sorted(firsts)

    def _begin(self) -> None:
        async def begin() -> Spool:
            spool = Spool(self.lives.journal)
            await spool.load()
            return spool

        self.spool = self.runner.run(begin())

    def _connect(self) -> None:
        async def connect() -> asyncio.Task[None]:
            await self.spool.begin(self._publish())
            return asyncio.create_task(self.spool.run())

        self.on_this_line = []
        self.running = self.runner.run(connect())

    def _disconnect(self) -> None:
        running, self.running = self.running, None
        if running is None:
            return

        async def disconnect(task: asyncio.Task[None]) -> None:
            task.cancel()
            await asyncio.wait((task,))
            self.spool.end()

        self.runner.run(disconnect(running))

    def _rest(self) -> None:
        """Acknowledge what comes until nothing waits."""

        async def moment() -> None:
            await asyncio.sleep(0.001)

        if self.running is None:
            return
        patience = time.monotonic() + 10
        while set(self.made) - self.acknowledged:
            assert time.monotonic() < patience, "something is never sent"
            self._acknowledge(self.on_this_line)
            self.runner.run(moment())

    def _acknowledge(self, keys: list[tuple[Kind, str]]) -> None:
        self.acknowledged.update(keys)
        replies = [name for kind, name in keys if kind is Kind.REPLY]
        events = [name for kind, name in keys if kind is Kind.EVENT]
        self.runner.run(self.spool.acknowledge(replies=replies, events=events))

    def _publish(self) -> Callable[[str, bytes], asyncio.Future[int]]:
        def publish(_topic: str, payload: bytes) -> asyncio.Future[int]:
            text = payload.decode()
            key = (Kind.REPLY, text) if text.startswith("c-") else (Kind.EVENT, Event.decode(payload).id)
            self.on_this_line.append(key)
            if key not in self.sent:
                self.sent.append(key)
            done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            done.set_result(0)
            return done

        return publish


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

"""However brokers, devices, rules and restarts fall together, nothing is published that must not be.

The broker's side of a session is played, so that its answers can come in any order; the
store is the real one.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, ClassVar, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlmodel import select

from broker.session import ConnectionLost, PublishRefused
from broker.session import Session as Connection
from controller.errors import Conflict
from controller.mqtt.outbox import Outbox
from controller.services import commands, devices, settling
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store.notices import Notice
from controller.store.store import Session, Store
from controller.store.tables import ToolExecution
from schemas.commands import ReplyStatus
from schemas.topics import Topics
from tests.controller import any_order
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_reply, a_request

T = TypeVar("T")


class Act(Enum):
    """What can happen between the store and the wire."""

    RESTART = "restart"
    LINE = "line"
    PRESENCE = "presence"
    SUBMIT = "submit"
    CANCEL = "cancel"
    RULES = "rules"
    PUBACK = "puback"
    REPLY = "reply"
    TIME = "time"


@dataclass
class Line:
    """One connection as the outbox sees it; what is said on it waits for an answer."""

    alive: bool = True
    said: list[tuple[str, dict[str, Any], "asyncio.Future[int]"]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, **_how: object) -> "asyncio.Future[int]":
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if not self.alive:
            done.set_exception(ConnectionLost("gone"))
        elif topic.endswith(("/command", "/cancel")):
            self.said.append((topic, json.loads(payload), done))
        else:
            done.set_result(0)
        return done

    def cut(self) -> None:
        self.alive = False
        for _, _, done in self.said:
            if not done.done():
                done.set_exception(ConnectionLost("gone"))


class Delivery(RuleBasedStateMachine):
    """Commands to one device, and all that can happen between the store and the wire."""

    databases: ClassVar[Databases]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.own = ExitStack()
        self.store = Store(self.own.enter_context(self.databases.migrated()))
        self.store.open()
        self.clock = NOON
        self.attempts: dict[str, int] = {}
        self.arrived: list[str] = []
        self.line: Line | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it, and let everything that follows from it happen."""

        async def whole() -> T:
            done = await work
            for _ in range(3):
                await self.store.write(lambda _session: None)
                await asyncio.sleep(0)
            return done

        return self.loop.run_until_complete(whole())

    def now(self) -> datetime:
        return self.clock

    def teardown(self) -> None:
        self.clock += timedelta(hours=2)
        self.work_off()
        self.run(self.store.write(lambda session: settling.expire(session, now=self.clock)))
        self.work_off()
        open_rows = [row.id for row in self.rows().values() if not Status(row.status).is_final]
        kept = len(self.outbox.courier)
        if self.line is not None:
            self.line.cut()
        self.run(asyncio.sleep(0))
        self.store.close()
        self.own.close()
        self.loop.close()
        assert not open_rows, "something waits for ever"
        assert kept == 0, "something that has ended is kept"

    def rows(self) -> dict[str, ToolExecution]:
        found = self.run(self.store.read(lambda session: session.exec(select(ToolExecution)).all()))
        return {row.id: row for row in found}

    @initialize()
    def begin(self) -> None:
        def place(session: Session) -> None:
            devices.add(session, a_place(), actor=ADMIN, now=NOON)
            devices.store_profile(session, "laptop", a_profile(), now=NOON)

        self.run(self.store.write(place))
        self.start()
        self.connect()
        self.presence(online=True)

    def start(self) -> None:
        """A controller's start."""
        self.outbox = Outbox(self.store, Topics(), instance="main", now=self.now)

        def hear(heard: list[Notice]) -> None:
            for notice in heard:
                self.outbox.hear(notice)

        async def whole() -> None:
            self.store.listen(hear)
            await self.store.write(devices.nobody_is_known_online)
            await self.outbox.load()

        self.run(whole())

    @rule(
        what=st.sampled_from([*Act, Act.SUBMIT, Act.SUBMIT, Act.SUBMIT, Act.PRESENCE, Act.PUBACK, Act.TIME]),
        number=st.integers(0, 20),
        flag=st.booleans(),
        look=st.booleans(),
    )
    def something_happens(self, what: Act, number: int, flag: bool, look: bool) -> None:
        """One rule for all: hypothesis leaves whole rules out, and few of these mean much alone."""
        acts: dict[Act, Callable[[], None]] = {
            Act.RESTART: lambda: self.restart(back=flag),
            Act.LINE: self.connect if self.line is None else self.disconnect,
            Act.PRESENCE: lambda: self.presence(online=flag or number > 5),
            Act.SUBMIT: lambda: self.submit(when_online=flag, valid_s=(3.0, 30.0, 600.0)[number % 3]),
            Act.CANCEL: lambda: self.cancel(number),
            Act.RULES: lambda: self.rules_change(PolicyProfile.ASSIST if flag else PolicyProfile.OBSERVE),
            Act.PUBACK: lambda: self.puback(number, taken=number > 2),
            Act.REPLY: lambda: self.reply(number, list(ReplyStatus)[number % len(ReplyStatus)]),
            Act.TIME: lambda: self.time_passes((0, 1, 5, 20, 61)[number % 5]),
        }
        acts[what]()
        if look:
            self.work_off()

    def restart(self, *, back: bool) -> None:
        self.disconnect()
        self.start()
        if back:
            self.connect()
            self.presence(online=True)

    def connect(self) -> None:
        if self.line is None:
            self.line = Line()
            self.outbox._session = cast("Connection", self.line)
            self.outbox.courier.begin()

    def disconnect(self) -> None:
        if self.line is not None:
            self.line.cut()
            self.line = self.outbox._session = None
            self.outbox.courier.end()
            self.run(asyncio.sleep(0))

    def presence(self, *, online: bool) -> None:
        def move(session: Session) -> None:
            said = a_presence("online" if online else "offline", at=self.clock)
            row = devices.store_presence(session, "laptop", said, now=self.clock)
            if row is not None and row.status == devices.DeviceStatus.ONLINE:
                settling.device_came(session, "laptop", now=self.clock)

        if self.line is not None:
            self.run(self.store.write(move))

    def submit(self, *, when_online: bool, valid_s: float) -> None:
        request = a_request(when_online=when_online, valid_s=valid_s)
        self.run(
            self.store.write(lambda session: commands.submit(session, request, actor=ADMIN, now=self.clock))
        )

    def cancel(self, number: int) -> None:
        ids = sorted(self.rows())
        if ids:
            command_id = ids[number % len(ids)]
            try:
                self.run(
                    self.store.write(
                        lambda session: commands.cancel(session, command_id, actor=ADMIN, now=self.clock)
                    )
                )
            except Conflict:
                assert Status(self.rows()[command_id].status).is_final

    def rules_change(self, policy: PolicyProfile) -> None:
        def change(session: Session) -> None:
            wanted = devices.PolicyChange(policy=policy)
            devices.change(session, "laptop", wanted, actor=ADMIN, now=self.clock)
            commands.withdraw(session, "laptop", now=self.clock)

        self.run(self.store.write(change))

    def puback(self, number: int, *, taken: bool) -> None:
        if self.line is None or not self.line.said:
            return
        topic, message, done = self.line.said.pop(number % len(self.line.said))
        if taken:
            done.set_result(0)
            if topic.endswith("/command"):
                self.arrived.append(message["id"])
        else:
            done.set_exception(PublishRefused(topic, 0x97))
        self.run(asyncio.sleep(0))

    def reply(self, number: int, status: ReplyStatus) -> None:
        if not self.arrived:
            return
        said = a_reply(self.arrived[number % len(self.arrived)], status)
        self.run(self.store.write(lambda session: settling.settle(session, "laptop", said, now=self.clock)))

    def time_passes(self, seconds: int) -> None:
        self.clock += timedelta(seconds=seconds)
        self.work_off()
        self.run(self.store.write(lambda session: settling.expire(session, now=self.clock)))

    def work_off(self) -> None:
        """What the outbox says when it looks, against what it may."""
        before = self.rows()
        policy = self.run(self.store.read(lambda session: devices.get(session, "laptop").policy))
        ready = "laptop" in self.outbox.courier._ready
        known = len(self.line.said) if self.line else 0
        self.run(self.outbox.courier.work_off(cast("Connection | None", self.line)))
        for topic, message, _ in self.line.said[known:] if self.line else ():
            if topic.endswith("/cancel"):
                assert before[message["command_id"]].released_at is not None
                continue
            row, attempt = before[message["id"]], message["attempt"]
            assert ready, "it was said to a device that is not there"
            assert not Status(row.status).is_final, "it was said although it had ended"
            assert self.clock < row.expires_at, "it was said although it had expired"
            assert row.released_at is not None, "it was said before it was let go"
            assert policy == PolicyProfile.ASSIST or row.status == Status.ACCEPTED, "the rules forbid it"
            assert attempt >= self.attempts.get(row.id, 1), "the attempt went back"
            self.attempts[row.id] = attempt


def test_in_any_order(databases: Databases) -> None:
    """Each example has a database of its own."""
    Delivery.databases = databases
    any_order.run(Delivery, databases, examples=18, steps=30)

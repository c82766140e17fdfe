"""However lives, wills, repeats and restarts fall together, the registry ends with the truth."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Engine
from sqlmodel import Session

from controller.services import devices, events
from controller.services.devices import DeviceStatus
from controller.services.devices.heartbeats import SLOWEST
from controller.store.tables import Device
from schemas.devices import Heartbeat, Presence, Profile
from tests.controller import any_order
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_heartbeat, a_place, a_presence, a_profile

EVERY = 30.0
DAY = 86_400.0
Message = Profile | Presence | Heartbeat


@dataclass
class Program:
    """One life of the device's program, with a clock of its own."""

    boot_id: str
    skew: float
    beats: bool
    connected_at: datetime | None = None  # by that clock
    seq: int = 0


@dataclass(frozen=True)
class Kept:
    """What a broker has on disk: for new subscribers, and for the controller."""

    retained: tuple[Message, ...] = ()
    queue: tuple[Message, ...] = ()


class Lives(RuleBasedStateMachine):
    """A device, a broker that may be killed, and a controller that may be killed.

    One program speaks for the device at a time. The broker delivers in order and
    repeats what was not acknowledged; killed, it comes back with what it had saved.
    """

    writer: ClassVar[Engine]

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(self.writer, expire_on_commit=False)
        self.now = self.listening_since = NOON
        self.lives = 0
        self.program: Program | None = None
        self.wills: list[Presence] = []
        self.retained: dict[type[Message], Message] = {}
        self.queue: list[Message] = []  # of the controller's session
        self.unacknowledged: list[Message] = []
        self.stored: list[tuple[int, Message]] = []  # retained, told after so many of the queue
        self.saved = Kept()
        self.broker_was_killed = False

    def teardown(self) -> None:
        try:
            self.all_is_said_and_time_passes()
        finally:
            self.session.rollback()
            self.session.close()

    @initialize()
    def begin(self) -> None:
        devices.add(self.session, a_place(), actor=ADMIN, now=NOON)

    @property
    def row(self) -> Device:
        return devices.get(self.session, "laptop")

    @property
    def connected(self) -> bool:
        return self.program is not None and self.program.connected_at is not None

    def device_time(self, program: Program) -> datetime:
        return self.now + timedelta(seconds=program.skew)

    def publish(self, message: Message) -> None:
        self.retained[type(message)] = message
        self.queue.append(message)

    def take(self, message: Message, *, retained: bool = False) -> None:
        if isinstance(message, Profile):
            devices.store_profile(self.session, "laptop", message, now=self.now)
        elif isinstance(message, Presence):
            devices.store_presence(self.session, "laptop", message, now=self.now, retained=retained)
        elif not retained:
            devices.store_heartbeat(self.session, "laptop", message, now=self.now)

    # what the device does

    @precondition(lambda self: self.program is None)
    @rule(skew=st.sampled_from([0.0, -DAY, DAY]), beats=st.booleans())
    def program_starts(self, skew: float, beats: bool) -> None:
        self.lives += 1
        self.program = Program(f"life-{self.lives}", skew, beats)
        self.program_connects()

    @precondition(lambda self: self.program is not None and not self.connected)
    @rule()
    def program_connects(self) -> None:
        program = self.program
        assert program is not None
        self.now += timedelta(milliseconds=10)
        at = program.connected_at = self.device_time(program)
        # it came back in time; and only a heartbeat tells the late will of an earlier life from its own
        self.wills = [will for will in self.wills if program.beats and will.boot_id != program.boot_id]
        self.publish(a_profile(boot_id=program.boot_id, tools=[], at=at))
        self.publish(a_presence("online", program.boot_id, at=at))
        if program.beats:
            self.program_beats()

    @precondition(lambda self: self.connected and self.program.beats)
    @rule()
    def program_beats(self) -> None:
        program = self.program
        assert program is not None
        program.seq += 1
        beat = a_heartbeat(program.seq, boot_id=program.boot_id, at=self.device_time(program))
        self.retained[Heartbeat] = beat
        self.deliver(len(self.queue))  # QoS 0: what is not heard now never is
        self.take(beat)

    @precondition(lambda self: self.connected and self.program.beats)
    @rule()
    def program_freezes(self) -> None:
        self.program_beats()
        self.time_passes(3 * EVERY + 1)
        assert self.row.status == DeviceStatus.STALE

    @precondition(lambda self: self.connected)
    @rule()
    def line_is_lost(self) -> None:
        program = self.program
        assert program is not None
        at, program.connected_at = program.connected_at, None
        self.wills.append(a_presence("offline", program.boot_id, at=at, reason="connection_lost"))

    @precondition(lambda self: self.program is not None)
    @rule()
    def program_is_killed(self) -> None:
        if self.connected:
            self.line_is_lost()
        self.program = None

    @precondition(lambda self: self.connected)
    @rule()
    def program_stops(self) -> None:
        program = self.program
        assert program is not None
        goodbye = a_presence("offline", program.boot_id, at=self.device_time(program), reason="stopped")
        self.publish(goodbye)
        self.program = None

    # what the broker does

    @precondition(lambda self: self.wills)
    @rule()
    def a_will_is_published(self) -> None:
        will = self.wills.pop(0)
        self.publish(will)

    @rule()
    def broker_saves(self) -> None:
        self.saved = Kept(tuple(self.retained.values()), (*self.unacknowledged, *self.queue))

    @rule()
    def broker_is_killed(self) -> None:
        self.broker_was_killed = True
        self.wills.clear()
        if self.program is not None:
            self.program.connected_at = None
        self.retained = {type(message): message for message in self.saved.retained}
        self.unacknowledged, self.queue = [], list(self.saved.queue)
        self.controller_connects()

    # what the controller does

    @rule(count=st.integers(1, 6))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            self.tell_stored()
            if self.queue:
                message = self.queue.pop(0)
                self.take(message)
                self.unacknowledged.append(message)
                self.stored = [(behind - 1, each) for behind, each in self.stored]
        self.tell_stored()

    def tell_stored(self) -> None:
        while self.stored and self.stored[0][0] == 0:
            self.take(self.stored.pop(0)[1], retained=True)

    @rule()
    def controller_acknowledges(self) -> None:
        self.unacknowledged.clear()

    @rule()
    def controller_connects(self) -> None:
        self.queue = self.unacknowledged + self.queue
        self.unacknowledged = []
        kinds = [kind for kind in (Profile, Presence, Heartbeat) if kind in self.retained]
        self.stored = [(len(self.queue), self.retained[kind]) for kind in kinds]
        self.listening_since = self.now

    @rule()
    def controller_is_killed(self) -> None:
        devices.nobody_is_known_online(self.session)
        self.controller_connects()

    @rule(seconds=st.sampled_from([1.0, 40.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        devices.call_stale(
            self.session, now=self.now, heartbeat_s=EVERY, listening_since=self.listening_since
        )

    # what must hold

    @rule()
    def all_is_said_and_time_passes(self) -> None:
        while self.wills:
            self.a_will_is_published()
        self.deliver(len(self.queue))
        for _ in range(5):
            self.time_passes(1.0 if not self.connected else EVERY)
            if self.connected and self.program is not None and self.program.beats:
                self.program_beats()
        if not self.connected:
            self.time_passes(3 * SLOWEST + 1)  # whatever pace it showed
        self.the_registry_knows()

    def the_registry_knows(self) -> None:
        row = self.row
        if self.connected:
            assert self.program is not None
            assert (row.status, row.boot_id) == (DeviceStatus.ONLINE, self.program.boot_id)
        elif row.last_heartbeat is not None:
            assert row.status in (DeviceStatus.OFFLINE, DeviceStatus.STALE)
        elif not self.broker_was_killed:  # else its will is lost, and it never beat: nobody can know
            assert row.status in (DeviceStatus.OFFLINE, DeviceStatus.NEVER_SEEN)

    @rule()
    def what_is_not_held_up_is_believed_at_once(self) -> None:
        self.deliver(len(self.queue))
        if self.connected and self.program is not None and self.program.beats:
            self.program_beats()
            self.the_registry_knows()

    @invariant()
    def one_program_at_a_time_is_no_conflict(self) -> None:
        assert events.recent(self.session, event_type="identity_conflict") == []

    @invariant()
    def exactly_who_is_online_and_beats_is_judged(self) -> None:
        row = devices.find(self.session, "laptop")
        judged = row is not None and row.status == DeviceStatus.ONLINE and row.last_heartbeat is not None
        assert (row is not None and row.silent_since is not None) == judged


def test_in_any_order(databases: Databases) -> None:
    """Each example is rolled back."""
    Lives.writer = databases.writer
    any_order.run(Lives, databases, examples=50, steps=30)

"""Whatever is asked of a journal, in any order, with a crash between any two calls: its promises hold."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device_node.journal import JournalFull, Kind, Limits, State
from device_node.journal.commands import KEEP
from schemas.events import Event, Severity
from tests.device_node.journal.lives import Lives

IDS = st.sampled_from([f"c-{number}" for number in range(6)])
ROOM = 8  # messages in the spool
NOON = datetime(2026, 2, 12, 12, tzinfo=UTC)
EXPIRES_AT = 1_000.0


@dataclass
class Known:
    """What the journal must say of one id."""

    state: State
    reply: bytes | None = None
    order: bytes | None = None
    runs: int = 0


@dataclass
class Model:
    commands: dict[str, Known] = field(default_factory=dict)
    spool: list[str] = field(default_factory=list)  # ids of replies and events, oldest first
    severities: dict[str, int] = field(default_factory=dict)
    reports: int = 0  # events that were given to be kept
    acknowledged: int = 0  # of those
    gone: int = 0
    acknowledged_losses: int = 0
    final: dict[str, bytes] = field(default_factory=dict)  # the first final reply of an id, for good

    def unanswered(self) -> int:
        open_ones = sum(one.state in (State.RECEIVED, State.STARTED) for one in self.commands.values())
        return open_ones + sum(one.startswith("c-") for one in self.spool)


class AnyOrder(RuleBasedStateMachine):
    """Commands, cancels, events, Acks and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.lives = Lives(Path(self.folder.name), Limits(spooled=ROOM))
        self.runner.run(self.lives.begin())
        self.model = Model()
        self.number = 0

    def teardown(self) -> None:
        self.runner.run(self.lives.end())
        self.runner.close()
        asyncio.set_event_loop(None)
        self.folder.cleanup()

    @rule(command_id=IDS, order=st.none() | st.just(b"order"))
    def receive(self, command_id: str, order: bytes | None) -> None:
        known = self.model.commands.get(command_id)
        full = known is None and self.model.unanswered() >= ROOM
        try:
            found = self.runner.run(
                self.lives.journal.receive(
                    command_id, reply_to="r", expires_at=EXPIRES_AT, now=0.0, command=order
                )
            )
        except JournalFull:
            assert full
            return
        assert not full
        assert (found is None) == (known is None)
        if found is None:
            self.model.commands[command_id] = Known(State.RECEIVED, order=order)
        elif known is not None:
            assert (found.state, found.reply, found.runs) == (known.state, known.reply, known.runs)

    @rule(command_id=IDS, again=st.booleans(), changes=st.booleans())
    def start(self, command_id: str, again: bool, changes: bool) -> None:
        known = self.model.commands.get(command_id)
        states = {State.RECEIVED, State.STARTED} if again else {State.RECEIVED}
        granted = self.lives.journal.start(command_id, changes=changes, again=again)
        assert granted == (known is not None and known.state in states)
        if granted and known is not None:
            known.state, known.runs = State.STARTED, known.runs + 1

    @rule(command_id=IDS)
    def finish(self, command_id: str) -> None:
        known = self.model.commands.get(command_id)
        if known is None:
            return
        self.number += 1
        reply = f"reply {self.number}".encode()
        earlier = self.runner.run(self.lives.journal.finish(command_id, reply_to="r", reply=reply))
        if known.state is State.FINISHED:
            assert earlier is not None
            assert earlier.reply == known.reply
            return
        assert earlier is None
        known.state, known.reply, known.order = State.FINISHED, reply, None
        self.model.spool.append(command_id)
        assert self.model.final.setdefault(command_id, reply) == reply

    @rule(command_id=IDS)
    def cancel(self, command_id: str) -> None:
        known = self.model.commands.get(command_id)
        found = self.runner.run(self.lives.journal.cancel(command_id, expires_at=EXPIRES_AT))
        if known is None:
            assert found is None
            self.model.commands[command_id] = Known(State.CANCELLED)
            return
        assert found is not None
        assert found.state is known.state
        if known.state is State.RECEIVED:
            known.state = State.CANCELLED
        if known.state is not State.FINISHED:
            known.order = None

    @rule(severity=st.sampled_from(list(Severity)))
    def report(self, severity: Severity) -> None:
        self.number += 1
        event = Event(id=f"e-{self.number}", type="test", severity=severity, data={}, at=NOON)
        shed = self.runner.run(self.lives.journal.report(event, "t"))
        self.model.reports += 1
        self.model.severities[event.id] = list(Severity).index(severity)
        self.model.spool.append(event.id)
        self.model.gone += len(shed.gone)
        for one in shed.gone:
            assert one.startswith("e-")
            rank = self.model.severities[one]
            position = self.model.spool.index(one)
            left = [other for other in self.model.spool if other.startswith("e-") and other not in shed.gone]
            for other in left:
                assert rank <= self.model.severities[other]
                assert rank < self.model.severities[other] or position < self.model.spool.index(other)
        self.model.spool = [one for one in self.model.spool if one not in shed.gone]

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from([*self.model.spool, "unknown"]), max_size=4, unique=True))
        self.runner.run(
            self.lives.journal.acknowledge(
                replies=[one for one in chosen if one.startswith("c-")],
                events=[one for one in chosen if not one.startswith("c-")],
            )
        )
        self.model.acknowledged += sum(one.startswith("e-") for one in chosen)
        self.model.spool = [one for one in self.model.spool if one not in chosen]

    @rule()
    def acknowledge_losses(self) -> None:
        if self.runner.run(self.lives.journal.close_report()):
            losses = self._losses()
            self.model.acknowledged_losses += sum(losses.values())
            self.runner.run(self.lives.journal.acknowledge(replies=[], events=losses))

    @rule()
    def forget(self) -> None:
        self.runner.run(self.lives.journal.forget(now=EXPIRES_AT + KEEP + 1.0))
        kept = {
            command_id: known
            for command_id, known in self.model.commands.items()
            if known.state is State.STARTED or command_id in self.model.spool
        }
        for command_id in set(self.model.commands) - set(kept):
            self.model.final.pop(command_id, None)
        self.model.commands = kept

    @rule()
    def crash(self) -> None:
        self.runner.run(self.lives.crash())

    @invariant()
    def what_waits_is_what_was_not_acknowledged(self) -> None:
        waiting = self.runner.run(self.lives.journal.waiting())
        losses = self._losses()
        assert [one.id for one in waiting if one.id not in losses] == self.model.spool
        replies = [(one.kind, one.id) for one in waiting if one.kind is Kind.REPLY]
        payloads = self.runner.run(self.lives.journal.payloads(replies))
        assert payloads == {(Kind.REPLY, one): self.model.final[one] for _, one in replies}

    @invariant()
    def what_started_and_did_not_end_is_known(self) -> None:
        started = {
            entry.command_id: entry.command for entry in self.runner.run(self.lives.journal.interrupted())
        }
        assert started == {
            command_id: known.order
            for command_id, known in self.model.commands.items()
            if known.state is State.STARTED
        }

    @invariant()
    def no_event_is_lost_uncounted(self) -> None:
        assert sum(self._losses().values()) + self.model.acknowledged_losses == self.model.gone
        kept = sum(one.startswith("e-") for one in self.model.spool)
        assert self.model.reports == self.model.acknowledged + self.model.gone + kept

    def _losses(self) -> dict[str, int]:
        waiting = self.runner.run(self.lives.journal.waiting())
        events = [(one.kind, one.id) for one in waiting if one.kind is Kind.EVENT]
        found = self.runner.run(self.lives.journal.payloads(events))
        told = [Event.decode(payload) for payload in found.values()]
        return {event.id: int(str(event.data["count"])) for event in told if event.type == "events_lost"}


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

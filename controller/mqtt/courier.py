"""The commands on their way: each is published until it is answered or expired, and each once at a time.

A command is published again, with the same id, while nobody answers, after a restart,
and when its device comes back; the device's journal makes that harmless. Before every
publishing but the very first, the store has the attempt and the rules are asked again.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from broker.session import Congested, ConnectionLost, Session
from controller.instruments import Instruments
from controller.mqtt import letters, untaken
from controller.mqtt.agenda import Agenda
from controller.mqtt.letters import Letter, SignedBy
from controller.mqtt.notes import Notes
from controller.mqtt.pending import EPOCH, Pending, Step
from controller.services import settling
from controller.services.orders import Status
from controller.services.settling import Departure
from controller.store.store import Store, StoreBusy, StoreFailed
from controller.store.tables import ToolExecution
from schemas import context, traces
from schemas.errors import ErrorBody, ErrorCode
from schemas.topics import Kind, Topics
from schemas.wire import MAX_PAYLOAD

logger = logging.getLogger(__name__)

WINDOW = 256  # commands that a broker may have without a PUBACK; the rest waits here, small
LOOK_AT_MOST = timedelta(seconds=60)  # between two looks at an agenda
STORE_AGAIN_AFTER = timedelta(seconds=1)  # when the store could not take a note


class Courier:
    """Carries commands on whatever session there is; without one it still ends what never left."""

    def __init__(
        self,
        store: Store,
        topics: Topics,
        *,
        instance: str,
        sign: SignedBy,
        now: Callable[[], datetime],
        wake: Callable[[], None],
        say: Callable[[Letter], None],
        instruments: Instruments,
    ) -> None:
        self._store = store
        self._topics = topics
        self._instance = instance
        self._sign = sign
        self._now = now
        self._wake = wake
        self._say = say
        self._instruments = instruments
        self._open: dict[str, Pending] = {}
        self._by_device: defaultdict[str, dict[str, Pending]] = defaultdict(dict)
        self._ready: set[str] = set()  # devices that may be sent commands
        self._agenda = Agenda()
        self._untaken = 0  # publishings without a PUBACK
        self._notes = Notes(store, now)

    def __len__(self) -> int:
        return len(self._open)

    def awaits(self, device_id: str, command_id: str) -> bool:
        """Whether a device is still to answer this command."""
        return command_id in self._by_device.get(device_id, ())

    def take(self, each: Pending) -> None:
        """Carry one more."""
        if each.command_id in self._open:
            return
        if each.device_id not in self._ready or self._untaken >= WINDOW:
            each.row = None  # it may wait for long: it is read again when it can go
        self._open[each.command_id] = self._by_device[each.device_id][each.command_id] = each
        self._plan(each)

    def note(self, row: ToolExecution, *, final: bool) -> None:
        """A command reached another status."""
        if row.accepted_at is not None or final:
            self._notes.drop(row.id)
        each = self._open.get(row.id)
        if each is None:
            return
        if final:
            self._forget(each)
        elif (heard := row.status == Status.ACCEPTED) != each.heard:
            each.heard = heard
            self._plan(each)

    def call_off(self, row: ToolExecution) -> None:
        """Say a command's cancel in its place."""
        each = self._open.get(row.id)
        if each is None:
            self._say(letters.cancel(row.device_id, row.id, self._topics, now=self._now()))
            return
        each.call_off()
        self._plan(each)

    def note_device(self, device_id: str, *, ready: bool) -> None:
        """A device came, or went."""
        now = self._now()
        (self._ready.add if ready else self._ready.discard)(device_id)
        for each in list(self._by_device.get(device_id, {}).values()):
            if ready:
                each.note_arrival(now)
            elif each.unsent and each.only_online:
                each.doubt()
            self._plan(each)
        self._wake()

    def note_rules(self, device_id: str) -> None:
        """What a device offers, or what is allowed on it, changed."""
        for each in list(self._by_device.get(device_id, {}).values()):
            each.doubt()
            self._plan(each)

    def begin(self) -> None:
        """A new session: what was said on the last one may be lost."""
        for each in self._open.values():
            each.last_at = EPOCH

    def end(self) -> None:
        """The session is gone; the next connect brings every presence anew."""
        self._notes.write()
        self._ready.clear()

    async def work_off(self, session: Session | None) -> float:
        """Do what is due; seconds until something is due again."""
        now = self._now()
        asking: list[Departure] = []
        settled: list[Pending] = []
        asked_of: set[str] = set()
        for name in self._agenda.due(now, most=WINDOW - self._untaken):
            each = self._open[name]
            ready = session is not None and session.alive and each.device_id in self._ready
            match each.step(now, ready=ready):
                case Step.FORGET:
                    self._forget(each)
                    continue
                case Step.SETTLE:
                    settled.append(each)
                    continue
                case Step.CANCEL if session is not None:
                    self._say(letters.cancel(each.device_id, each.command_id, self._topics, now=now))
                    each.note_said(now)
                case Step.CANCEL:
                    each.postpone(now + STORE_AGAIN_AFTER)
                case Step.JUDGE:
                    asking.append(Departure(each.command_id, None, each.unsent))
                    asked_of.add(each.device_id)
                    continue
                case Step.PUBLISH if session is not None:
                    if each.row is None or each.device_id in asked_of:  # in the order it was asked for
                        asking.append(Departure(each.command_id, each.attempt + 1, each.unsent))
                        asked_of.add(each.device_id)
                        continue
                    self._publish(session, each, each.row, now)
            self._plan(each)
        await self._settle(settled, now)
        await self._depart(session, asking, now)
        next_at = self._agenda.next_at()
        if next_at is None or self._untaken >= WINDOW:
            return LOOK_AT_MOST.total_seconds()
        return max(0.0, min(next_at - self._now(), LOOK_AT_MOST).total_seconds())

    async def _settle(self, wanted: Sequence[Pending], now: datetime) -> None:
        """End what never left. A store that is away is asked again."""
        if not wanted:
            return
        works: list[Callable[[Any], None]] = [
            partial(
                settling.never_sent if each.expires_at <= now else settling.called_back,
                command_id=each.command_id,
                now=now,
            )
            for each in wanted
        ]
        outcomes: Sequence[Exception | None]
        try:
            outcomes = await self._store.write_all(works)
        except (StoreBusy, StoreFailed) as error:
            outcomes = [error] * len(works)
        for each, outcome in zip(wanted, outcomes, strict=True):
            if isinstance(outcome, Exception):
                logger.warning("Command %s cannot be settled yet: %s", each.command_id, outcome)
                self._later(each, now)
            else:
                self._forget(each)

    async def _depart(self, session: Session | None, asking: Sequence[Departure], now: datetime) -> None:
        """Ask the store for what may go, and publish it."""
        if not asking:
            return
        try:
            rows = await self._store.write(partial(settling.depart, wanted=asking, now=now))
        except (StoreBusy, StoreFailed) as error:
            logger.warning("%d commands cannot be judged yet: %s", len(asking), error)
            for departure in asking:
                if (each := self._open.get(departure.command_id)) is not None:
                    self._later(each, now)
            return
        leaving = {row.id: row for row in rows}
        for departure in asking:
            each = self._open.get(departure.command_id)
            if each is None:
                continue  # it ended
            row = leaving.get(departure.command_id)
            if row is None and not each.cancel_wanted:
                self._forget(each)
                continue
            each.doubted = False
            may_go = (
                departure.attempt is not None and each.device_id in self._ready and not each.cancel_wanted
            )
            if row is not None and may_go and session is not None and session.alive:
                self._publish(session, each, row, now)
            self._plan(each)

    def _publish(self, session: Session, each: Pending, row: ToolExecution, now: datetime) -> None:
        attempt = each.attempt + 1
        each.row = None
        each.note_said(now)
        trace = traces.of_command(row.trace_id, row.id)
        with context.about(trace, command_id=row.id, device_id=row.device_id, user=row.requested_by):
            self._send(session, each, row, attempt, now)

    def _send(self, session: Session, each: Pending, row: ToolExecution, attempt: int, now: datetime) -> None:
        try:
            letter = letters.command(row, self._topics, self._instance, attempt=attempt, now=now)
        except ValueError:  # what cannot be written down must not stop the others, nor every later start
            logger.exception("Command %s cannot be written as a message", row.id)
            self._refuse(each, ErrorCode.INTERNAL, "It cannot be written as a message.", now)
            return
        if len(letter.payload) > MAX_PAYLOAD:  # brokers may take more; devices need not
            message = f"The command has {len(letter.payload)} bytes; a message may have {MAX_PAYLOAD}."
            self._refuse(each, ErrorCode.PAYLOAD_TOO_LARGE, message, now)
            return
        first, each.attempt, each.unsent = each.unsent, attempt, False
        self._untaken += 1
        self._instruments.said(Kind.COMMAND)
        properties = letter.properties.with_user(self._sign(letter.topic, letter.payload))
        taken = session.publish(letter.topic, letter.payload, properties=properties)
        taken.add_done_callback(partial(self._note_taken, row.id, attempt, first=first))

    def _refuse(self, each: Pending, code: ErrorCode, message: str, now: datetime) -> None:
        if each.unsent:  # an earlier life may have said it otherwise, and then nobody knows
            error = ErrorBody(code=code, message=message)
            self._store.write_soon(
                partial(settling.not_taken, command_id=each.command_id, error=error, now=now)
            )

    def _note_taken(self, command_id: str, attempt: int, taken: asyncio.Future[int], *, first: bool) -> None:
        """Note what the broker made of a publishing; only of the first does a refusal tell that it never left."""
        self._untaken -= 1
        if self._untaken == WINDOW - 1:
            self._wake()
        error = None if taken.cancelled() else taken.exception()
        if taken.cancelled() or isinstance(error, ConnectionLost | Congested):
            return  # it goes again: on the next session, or in a while
        if error is None:
            work = partial(settling.published, command_id=command_id, attempt=attempt, now=self._now())
        elif first:
            work = partial(
                settling.not_taken, command_id=command_id, error=untaken.why(error), now=self._now()
            )
        else:
            logger.warning("The broker did not take command %s again: %s", command_id, error)
            return
        self._store.write_soon(work)

    def _later(self, each: Pending, now: datetime) -> None:
        each.postpone(now + STORE_AGAIN_AFTER)
        self._plan(each)

    def _plan(self, each: Pending) -> None:
        """Look at it when it may need something."""
        if each.command_id in self._open:
            ready = each.device_id in self._ready
            self._agenda.put(each.command_id, each.look_at(self._now(), ready=ready))
            self._wake()

    def _forget(self, each: Pending) -> None:
        self._open.pop(each.command_id, None)
        self._agenda.drop(each.command_id)
        of_device = self._by_device.get(each.device_id)
        if of_device is not None:
            of_device.pop(each.command_id, None)
            if not of_device:
                del self._by_device[each.device_id]

"""Out: committed commands, until they are answered or expired. The only publisher.

A command is published again, with the same id, while nobody answers, after a restart,
and when its device comes back; the device's journal makes that harmless.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from broker.session import (
    ConnectionLost,
    PayloadTooLarge,
    PublishProperties,
    PublishRefused,
    Session,
    SessionError,
)
from controller.mqtt import letters
from controller.mqtt.pending import EPOCH, Pending
from controller.mqtt.routes import Receipt
from controller.services import approvals, commands, settling
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.store.notices import (
    ApprovalChanged,
    Audited,
    CancelWanted,
    CommandChanged,
    CommandQueued,
    DeviceChanged,
    Notice,
    RulesChanged,
)
from controller.store.store import Store, StoreBusy, StoreFailed
from controller.store.tables import ToolExecution
from schemas.errors import ErrorBody, ErrorCode
from schemas.topics import Kind, Topics
from schemas.wire import MAX_PAYLOAD

logger = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(seconds=5)  # then doubling
AGAIN_AT_MOST = timedelta(seconds=60)
STORE_AGAIN_AFTER = timedelta(seconds=1)  # when the store could not take a note


class Outbox:
    """Commands on the way, and everything else the controller says."""

    def __init__(
        self,
        store: Store,
        topics: Topics,
        *,
        instance: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._topics = topics
        self._instance = instance
        self._now = now
        self._open: dict[str, Pending] = {}
        self._ready: set[str] = set()  # devices that may be sent commands
        self._wake = asyncio.Event()
        self._session: Session | None = None

    async def load(self) -> None:
        """At start: take up what an earlier life left on the way."""
        for row in await self._store.read(commands.on_the_way):
            cancelled = await self._store.read(partial(commands.cancel_wanted, command_id=row.id))
            self._open[row.id] = Pending(
                row, earlier_attempts=row.attempt, may_have_left=True, cancel_wanted=cancelled
            )

    def hear(self, notice: Notice) -> None:
        """Act on what a committed transaction announced."""
        match notice:
            case CommandQueued(row):
                self._open[row.id] = Pending(row)
                self._wake.set()
            case CommandChanged(row, final):
                self._note(row, final=final)
            case CancelWanted(row):
                self._note_cancel(row)
            case ApprovalChanged(card):
                payload = letters.card(card) if card.status == ApprovalStatus.PENDING else b""
                self._say(self._topics.approval(card.id), payload, retain=True)
            case DeviceChanged(device_id, ready):
                self._note_device(device_id, ready=ready)
            case RulesChanged(device_id):
                self._note_rules(device_id)
            case Audited(line):
                self._say(self._topics.audit(), json.dumps(line).encode(), qos=0)

    def _note(self, row: ToolExecution, *, final: bool) -> None:
        if final:
            self._open.pop(row.id, None)
        elif row.id in self._open:
            self._open[row.id].row = row
            self._open[row.id].heard = row.status == Status.ACCEPTED

    def _note_cancel(self, row: ToolExecution) -> None:
        each = self._open.get(row.id)
        if each is None:
            self._publish_cancel(row)
            return
        each.cancel_wanted, each.next_at = True, EPOCH
        self._wake.set()

    def _note_device(self, device_id: str, *, ready: bool) -> None:
        if not ready:
            self._ready.discard(device_id)
            return
        self._ready.add(device_id)
        for each in self._open.values():
            if each.row.device_id == device_id and each.attempts + each.may_have_left:
                each.next_at, each.heard = EPOCH, False  # it came back: ask for the state reached
        self._wake.set()

    def _note_rules(self, device_id: str) -> None:
        for each in self._open.values():
            each.doubted = each.doubted or (each.row.device_id == device_id and each.unsent)
        self._wake.set()

    async def serve(self, session: Session) -> None:
        """Publish what is due on this session until it is gone."""
        self._session = session
        try:
            synced = False
            while session.alive:
                synced = synced or await self._sync_cards()
                wait = await self._publish_due(session)
                wait = wait if synced else min(wait, STORE_AGAIN_AFTER.total_seconds())
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                self._wake.clear()
            raise await session.lost()
        finally:
            self._session = None
            self._ready.clear()  # the next connect brings every presence anew

    async def _sync_cards(self) -> bool:
        """Publish every question that is open; False when the store could not say which."""
        try:
            cards = await self._store.read(approvals.pending)
        except (StoreBusy, StoreFailed) as error:
            logger.warning("The open approvals cannot be read yet: %s", error)
            return False
        for card in cards:
            self._say(self._topics.approval(card.id), letters.card(card), retain=True)
        return True

    async def _publish_due(self, session: Session) -> float:
        """Send what may go now; seconds until something is due again."""
        now = self._now()
        soonest = now + AGAIN_AT_MOST
        for each in list(self._open.values()):
            if each.row.id not in self._open:
                continue  # it ended while another one was being settled
            if each.row.expires_at <= now or (each.cancel_wanted and each.unsent):
                if each.next_at <= now:
                    await self._let_go(each, now)
                soonest = min(soonest, each.next_at)
                continue
            if each.doubted and not await self._stands(each, now):
                soonest = min(soonest, now + STORE_AGAIN_AFTER)
                continue
            if each.cancel_wanted:
                if each.next_at <= now:
                    self._publish_cancel(each.row)
                    each.next_at = now + AGAIN_AFTER
                soonest = min(soonest, each.next_at)
            elif not each.heard and each.row.device_id in self._ready:
                if each.next_at <= now:
                    self._publish(session, each, now)
                soonest = min(soonest, each.next_at)
            soonest = min(soonest, each.row.expires_at)
        return max((soonest - now).total_seconds(), 0.01)

    async def _stands(self, each: Pending, now: datetime) -> bool:
        """Whether a command that has not left is still allowed to; a store that is away is asked again."""
        try:
            stands = await self._store.write(partial(settling.judge_again, command_id=each.row.id, now=now))
        except (StoreBusy, StoreFailed) as error:
            logger.warning("Command %s cannot be judged yet: %s", each.row.id, error)
            return False
        each.doubted = False
        if not stands:
            self._open.pop(each.row.id, None)
        return stands

    async def _let_go(self, each: Pending, now: datetime) -> None:
        """Stop trying; what never left is settled by this. A store that is away is asked again."""
        if each.unsent:
            settle = settling.never_sent if each.row.expires_at <= now else settling.called_back
            try:
                await self._store.write(partial(settle, command_id=each.row.id, now=now))
            except (StoreBusy, StoreFailed) as error:
                logger.warning("Command %s cannot be settled yet: %s", each.row.id, error)
                each.next_at = now + STORE_AGAIN_AFTER
                return
        each.next_at = now + AGAIN_AT_MOST
        self._open.pop(each.row.id, None)

    def _publish(self, session: Session, each: Pending, now: datetime) -> None:
        each.attempts += 1
        backoff: timedelta = AGAIN_AFTER * 2 ** min(each.attempts - 1, 8)
        each.next_at = now + min(backoff, AGAIN_AT_MOST)
        attempt = each.earlier_attempts + each.attempts
        try:
            letter = letters.command(each.row, self._topics, self._instance, attempt=attempt, now=now)
        except ValueError:  # what cannot be written down must not stop the others, nor every later start
            logger.exception("Command %s cannot be written as a message", each.row.id)
            self._refuse(each, ErrorCode.INTERNAL, "It cannot be written as a message.", now)
            return
        if len(letter.payload) > MAX_PAYLOAD:  # brokers may take more; devices need not
            message = f"The command has {len(letter.payload)} bytes; a message may have {MAX_PAYLOAD}."
            self._refuse(each, ErrorCode.PAYLOAD_TOO_LARGE, message, now)
            return
        taken = session.publish(letter.topic, letter.payload, properties=letter.properties)
        taken.add_done_callback(partial(self._note_taken, each.row.id, attempt))

    def _refuse(self, each: Pending, code: ErrorCode, message: str, now: datetime) -> None:
        error = ErrorBody(code=code, message=message)
        self._store.write_soon(partial(settling.not_taken, command_id=each.row.id, error=error, now=now))

    def _note_taken(self, command_id: str, attempt: int, taken: asyncio.Future[int]) -> None:
        if taken.cancelled() or isinstance(taken.exception(), ConnectionLost):
            return  # it goes again on the next session
        error = taken.exception()
        if error is None:
            work = partial(settling.published, command_id=command_id, attempt=attempt, now=self._now())
        else:
            work = partial(settling.not_taken, command_id=command_id, error=_refusal(error), now=self._now())
        self._store.write_soon(work)

    def _publish_cancel(self, row: ToolExecution) -> None:
        letter = letters.cancel(row, self._topics, now=self._now())
        self._say(letter.topic, letter.payload, properties=letter.properties)

    async def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Tell each device what is stored for good."""
        for device_id, ack in letters.acks(receipts, now=self._now()):
            self._say(self._topics.device(device_id, Kind.ACK), ack.encode())

    def clear_retained(self, device_id: str) -> None:
        """Take a removed device's retained words from the broker."""
        for kind in (Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT):
            self._say(self._topics.device(device_id, kind), b"", retain=True)

    async def tidy_cards(self, approval_ids: Iterable[str]) -> None:
        """Clear retained cards that are no longer questions: a decision may have met a dead broker."""
        try:
            pending = {card.id for card in await self._store.read(approvals.pending)}
        except (StoreBusy, StoreFailed) as error:
            logger.warning("Old approvals are tidied at the next connect: %s", error)
            return
        for approval_id in set(approval_ids) - pending:
            self._say(self._topics.approval(approval_id), b"", retain=True)

    def _say(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> None:
        """Publish something whose loss is repaired elsewhere: by a resend, or at the next connect."""
        if self._session is None:
            return
        said = self._session.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        said.add_done_callback(partial(_log_refusal, topic))


def _log_refusal(topic: str, said: asyncio.Future[int]) -> None:
    error = None if said.cancelled() else said.exception()
    if error is not None and not isinstance(error, ConnectionLost):
        logger.warning("Could not publish on %s: %s", topic, error)


def _refusal(error: BaseException) -> ErrorBody:
    if isinstance(error, PayloadTooLarge):
        return ErrorBody(code=ErrorCode.PAYLOAD_TOO_LARGE, message=f"{error}")
    if isinstance(error, (PublishRefused, SessionError)):
        return ErrorBody(code=ErrorCode.INTERNAL, message=f"The broker did not take it: {error}")
    return ErrorBody(code=ErrorCode.INTERNAL, message="It could not be published.")

"""Out: everything the controller says. The only publisher.

What is said is committed before. A loss on the way is repaired: commands by the courier,
the rest at the next connect or by a resend of the device.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from broker.session import ConnectionLost, PublishProperties, Session
from controller.instruments import Instruments
from controller.mqtt import letters
from controller.mqtt.courier import STORE_AGAIN_AFTER, Courier
from controller.mqtt.letters import Letter, unsigned
from controller.mqtt.pending import Pending
from controller.mqtt.responses import Responses
from controller.mqtt.routes import Receipt
from controller.services import approvals, commands, devices
from controller.services.cards import ApprovalStatus
from controller.store.keyring import KeyRing
from controller.store.notices import (
    ApprovalChanged,
    Audited,
    CancelWanted,
    CommandChanged,
    CommandQueued,
    DeviceChanged,
    Notice,
    ResponseMade,
    RulesChanged,
)
from controller.store.store import Session as StoreSession
from controller.store.store import Store, StoreBusy, StoreFailed
from schemas.devices import Presence
from schemas.topics import Kind, Topics

logger = logging.getLogger(__name__)

ANNOUNCE_AFTER = 0.2  # seconds after a device came: others may come with it
TEND_EVERY = 1.0  # seconds
PLAIN = PublishProperties()


class Outbox:
    """Commands on the way, and everything else the controller says."""

    def __init__(
        self,
        store: Store,
        topics: Topics,
        *,
        instance: str,
        keyring: KeyRing | None = None,
        instruments: Instruments | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keyring = keyring
        self._sign = unsigned if keyring is None else lambda *what: keyring.signer.sign(*what)
        self._store = store
        self._topics = topics
        self._instance = instance
        self._now = now
        self._instruments = instruments or Instruments()
        self._wake = asyncio.Event()
        self._session: Session | None = None
        self._again: asyncio.TimerHandle | None = None
        self.responses = Responses(store, topics, self._instruments)
        self.courier = Courier(
            store,
            topics,
            instance=instance,
            sign=self._sign,
            now=now,
            wake=self._wake.set,
            say=self._say_letter,
            instruments=self._instruments,
        )

    async def load(self) -> None:
        """At start: take up what an earlier life left on the way."""
        for each in await self._store.read(_left_over):
            self.courier.take(each)

    def hear(self, notice: Notice) -> None:
        """Act on what a committed transaction announced."""
        match notice:
            case CommandQueued(row):
                self.courier.take(Pending.fresh(row))
            case CommandChanged(row, final):
                self.courier.note(row, final=final)
            case CancelWanted(row):
                self.courier.call_off(row)
            case ApprovalChanged(card):
                payload = letters.card(card) if card.status == ApprovalStatus.PENDING else b""
                self._say_card(card.id, payload)
            case DeviceChanged(device_id, ready):
                self.courier.note_device(device_id, ready=ready)
                if ready:
                    self._announce_again()
            case RulesChanged(device_id):
                self.courier.note_rules(device_id)
            case ResponseMade():
                self.responses.wake()
            case Audited(line):
                self._say(self._topics.audit(), json.dumps(line).encode(), qos=0)

    async def serve(self, session: Session) -> None:
        """Publish what is due on this session until it is gone."""
        self._session = session
        self.courier.begin()
        self.announce_keys()
        try:
            synced = False
            while session.alive:
                self._wake.clear()
                synced = synced or await self._sync()
                wait = await self.courier.work_off(session)
                wait = wait if synced else min(wait, STORE_AGAIN_AFTER.total_seconds())
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            raise await session.lost()
        finally:
            self._session = None
            if self._again is not None:
                self._again.cancel()
                self._again = None
            self.courier.end()

    async def tend(self) -> None:
        """While there is no session, end what never left and will not."""
        while True:
            if self._session is None:
                await self.courier.work_off(None)
            await asyncio.sleep(TEND_EVERY)

    async def _sync(self) -> bool:
        """Publish every question that is open, and who is shut out; False when the store could not say."""
        try:
            cards = await self._store.ask(approvals.pending)
            revoked = await self._store.ask(devices.revoked)
        except (StoreBusy, StoreFailed) as error:
            logger.warning("The open approvals cannot be read yet: %s", error)
            return False
        for device_id, boot_id in revoked.items():
            self.say_revoked(device_id, boot_id)
        for card in cards:
            self._say_card(card.id, letters.card(card))
        return True

    async def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Tell each device what is stored for good."""
        for device_id, ack in letters.acks(receipts, now=self._now()):
            self._say_signed(self._topics.device(device_id, Kind.ACK), ack.encode())

    def clear_retained(self, device_id: str) -> None:
        """Take a removed device's retained words from the broker."""
        for kind in (Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT):
            self._say(self._topics.device(device_id, kind), b"", retain=True)

    def say_gone(self, device_id: str, boot_id: str, *, reason: str = devices.SENT_TOO_MUCH) -> bool:
        """Correct the retained presence of a device that was shut out; False: there is no session to say it on."""
        if self._session is None:
            return False
        gone = Presence(state="offline", at=self._now(), boot_id=boot_id, reason=reason)
        self._say(self._topics.device(device_id, Kind.PRESENCE), gone.encode(), retain=True)
        return True

    def say_revoked(self, device_id: str, boot_id: str) -> bool:
        """The same for one that is let in no more: the broker drops its will."""
        return self.say_gone(device_id, boot_id, reason=devices.REVOKED)

    async def tidy_cards(self, approval_ids: Iterable[str]) -> None:
        """Clear retained cards that are no longer questions: a decision may have met a dead broker."""
        try:
            pending = {card.id for card in await self._store.ask(approvals.pending)}
        except (StoreBusy, StoreFailed) as error:
            logger.warning("Old approvals are tidied at the next connect: %s", error)
            return
        for approval_id in set(approval_ids) - pending:
            self._say_card(approval_id, b"")

    def say_join(
        self, topic: str, payload: bytes, properties: PublishProperties
    ) -> asyncio.Future[int] | None:
        """Answer somebody who wants to join; None while there is no line."""
        if self._session is None:
            return None
        self._count(topic)
        return self._session.publish(topic, payload, properties=properties)

    def announce_keys(self) -> None:
        """Say which keys count, signed by each that a device may hold; what the oldest signed is retained."""
        if self._keyring is None:
            return
        keys, (oldest, *younger) = self._keyring.announcement()
        topic, payload = self._topics.keys(), keys.encode()
        for signer in (*younger, oldest):
            properties = PublishProperties(user_properties=signer.sign(topic, payload))
            self._say(topic, payload, retain=True, properties=properties)

    def _announce_again(self) -> None:
        """For a device that has just come: what is retained may be signed with a key that it has let go of."""
        if self._again is not None or self._keyring is None or len(self._keyring.announcement()[1]) == 1:
            return

        def announce() -> None:
            self._again = None
            self.announce_keys()

        self._again = asyncio.get_running_loop().call_later(ANNOUNCE_AFTER, announce)

    def _count(self, topic: str) -> None:
        address = self._topics.parse(topic)
        self._instruments.said(None if address is None else address.kind)

    def _say_letter(self, letter: Letter) -> None:
        self._say_signed(letter.topic, letter.payload, properties=letter.properties)

    def _say_card(self, approval_id: str, payload: bytes) -> None:
        topic = self._topics.approval(approval_id)
        if payload:
            self._say_signed(topic, payload, retain=True)
        else:
            self._say(topic, payload, retain=True)

    def _say_signed(
        self, topic: str, payload: bytes, *, retain: bool = False, properties: PublishProperties = PLAIN
    ) -> None:
        self._say(topic, payload, retain=retain, properties=properties.with_user(self._sign(topic, payload)))

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
        self._count(topic)
        said = self._session.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        said.add_done_callback(partial(_log_refusal, topic))


def _log_refusal(topic: str, said: asyncio.Future[int]) -> None:
    error = None if said.cancelled() else said.exception()
    if error is not None and not isinstance(error, ConnectionLost):
        logger.warning("Could not publish on %s: %s", topic, error)


def _left_over(session: StoreSession) -> list[Pending]:
    called_off = commands.called_off(session)
    return [
        Pending.left_over(row, cancel_wanted=row.id in called_off) for row in commands.on_the_way(session)
    ]

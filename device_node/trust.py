"""Whose word counts on this device: an enrolled one acts on nothing that its controller did not sign.

The keys are those that it was given when it joined, and those that such a key announced.
A key is over once the latest moment that is certain to have passed (the clock's mark) is
past its end: the device's own clock may be wrong, and decides nothing here.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from broker.session import Received
from device_node.clock import Clock
from device_node.complaints import Complaints
from schemas.keys import SIGNATURE_PROPERTY, Key, Keys
from schemas.signing import BadKey, BadSignature, UnknownKey, Verifier
from schemas.wire import MalformedMessage

logger = logging.getLogger(__name__)

TELL_EVERY = 3_600.0  # seconds between two events about forged messages on one topic
ANSWERS_A_MINUTE = 10  # forged commands that are answered

Keep = Callable[[Sequence[Key]], Awaitable[None]]
Report = Callable[[str, str], Awaitable[None]]  # on which topic, and why it was refused


async def keep_nowhere(_keys: Sequence[Key]) -> None:
    """For a device that was given its keys for this life only."""


async def _tell_nobody(_topic: str, _reason: str) -> None:
    return None


class Trust:
    """The controller's keys. Without any, the device was not enrolled and takes what its broker brings.

    Args:
        keys: what is believed at the start.
        clock: what the announcements teach, and by what keys end.
        keep: makes new keys durable; they count once it returned.
        report: tells the controller that somebody forged a message.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        complaints: Complaints,
        *,
        clock: Clock,
        keep: Keep = keep_nowhere,
        report: Report = _tell_nobody,
    ) -> None:
        self.enrolled = bool(keys)
        self._keys = tuple(keys)
        self._verifier = Verifier.of(key.public for key in keys)
        self._ends = {key.key_id: key.not_after for key in keys}
        self._complaints = complaints
        self._clock = clock
        self._keep = keep
        self._report = report
        self._heard_at: datetime | None = None
        self._told: dict[str, float] = {}
        self._answered: list[float] = []

    def renew(self, keys: Sequence[Key]) -> None:
        """Believe these from now on: the device has joined anew."""
        self._keys, self._verifier = tuple(keys), Verifier.of(key.public for key in keys)
        self._ends = {key.key_id: key.not_after for key in keys}
        self._heard_at = None  # what another controller said is no measure for this one

    async def refuses(self, message: Received) -> bool:
        """Whether a message is not the controller's; then it is counted and told."""
        if not self.enrolled:
            return False
        try:
            self._check(message)
        except BadSignature as bad:
            await self._note(message.topic, bad.reason)
            return True
        return False

    def answers(self, message: Received) -> bool:
        """Whether a refused command is answered: it is signed, wrongly, and there were few of them lately."""
        if not any(name == SIGNATURE_PROPERTY for name, _ in message.user_properties):
            return False
        now = self._clock.steady()
        self._answered = [moment for moment in self._answered if now - moment < 60.0]
        if len(self._answered) >= ANSWERS_A_MINUTE:
            return False
        self._answered.append(now)
        return True

    async def hear(self, message: Received) -> None:
        """Take over the keys that a key which is believed announces; what is older changes nothing."""
        if not self.enrolled or not message.payload:
            return
        try:
            self._check(message)
        except UnknownKey as unknown:
            # by a key that it has let go of since, or of a rotation that it missed
            if self._has_missed(message.payload):
                self._complaints.add("unknown_key", message.topic, unknown.reason)
            return
        except BadSignature as bad:
            await self._note(message.topic, bad.reason)
            return
        try:
            said = Keys.decode(message.payload)
            verifier = Verifier.of(key.public for key in said.keys)
        except (MalformedMessage, BadKey) as error:
            self._complaints.add("malformed", message.topic, str(error))
            return
        if not said.keys or (self._heard_at is not None and said.at <= self._heard_at):
            return
        if _newest(said.keys) < _newest(self._keys):
            # kept from before a rotation: a hostile broker could bring it to every start of this program
            self._complaints.add("old_keys", message.topic, "it does not name the newest key")
            return
        self._heard_at = said.at
        self._clock.passed(said.at, arrived_at=message.arrived_at)
        if tuple(said.keys) == self._keys:
            return
        await self._keep(said.keys)
        self._keys, self._verifier = tuple(said.keys), verifier
        self._ends = {key.key_id: key.not_after for key in said.keys}
        logger.info("The controller signs with: %s", ", ".join(self._ends))

    def _has_missed(self, payload: bytes) -> bool:
        """Whether an announcement, of whoever it is, names a key that is not held."""
        try:
            named = {key.key_id for key in Keys.decode(payload).keys}
        except MalformedMessage:
            return True
        return not named <= self._ends.keys()

    def _check(self, message: Received) -> None:
        named = self._verifier.check(message.topic, message.payload, message.user_properties)
        if self._ends[named].timestamp() <= self._clock.mark:
            raise BadSignature("it is signed with a key that is over")

    async def _note(self, topic: str, reason: str) -> None:
        self._complaints.add("bad_signature", topic, reason)
        now = self._clock.steady()
        if now - self._told.get(topic, -TELL_EVERY) < TELL_EVERY:
            return
        self._told[topic] = now  # as many as there are topics that this device subscribed
        await self._report(topic, reason)


def _newest(keys: Sequence[Key]) -> datetime:
    """When the youngest of them begins: a rotation only ever adds one that is younger."""
    return max(key.not_before for key in keys)

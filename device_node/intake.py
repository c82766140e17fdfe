"""A message that arrived, read and judged before anything is done for it.

What is not an order for this device, or a cancel that has expired, is dropped and counted; a
command that cannot be carried out is answered.
"""

import json
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from broker.session import Received
from device_node.clock import Clock
from device_node.complaints import Complaints
from schemas import traces
from schemas.commands import Cancel, Command
from schemas.ids import MessageId
from schemas.topics import Topics
from schemas.traces import Trace
from schemas.wire import MAX_PAYLOAD, Instant, MalformedMessage

MAX_ID = 64  # characters

logger = logging.getLogger(__name__)

_MESSAGE_ID = TypeAdapter[str](MessageId)
_INSTANT = TypeAdapter[datetime](Instant)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A command as it arrived. `fault` says why it cannot be carried out, `command` is then None."""

    command_id: str
    reply_to: str
    expires_at: datetime
    deadline: float  # a moment of `steady`; it does not start then or later
    command: Command | None
    fault: str = ""
    trace: Trace | None = None  # nobody signs it: it is for people who look on, and decides nothing


class Intake:
    """Reads commands and cancels for one device."""

    def __init__(self, device_id: str, topics: Topics, complaints: Complaints, clock: Clock) -> None:
        self._device_id = device_id
        self._topics = topics
        self._complaints = complaints
        self._clock = clock

    def read(self, message: Received) -> Arrival | None:
        """The command in a message, or None when it was dropped."""
        if message.retain:
            self._complaints.add("retained", message.topic, "a retained command would run again and again")
            return None
        try:
            command = Command.decode(message.payload)
        except MalformedMessage as malformed:
            arrival = self._unfit(message, malformed)
        else:
            deadline = self._deadline(message, command.expires_at, command.issued_at)
            arrival = Arrival(
                command.id, command.reply_to, command.expires_at, deadline, command, trace=_trace(message)
            )
        if arrival is None:
            return None
        if self._topics.reply_instance(arrival.reply_to, self._device_id) is None:
            self._complaints.add("reply_to", message.topic, "reply_to is not a reply topic of this device")
            return None
        return arrival

    def address(self, message: Received) -> tuple[str, str] | None:
        """The id and the reply topic that a message names which nobody vouches for; it teaches the clock nothing."""
        values = _object(message.payload)
        command_id, reply_to = values.get("id"), values.get("reply_to")
        if not isinstance(command_id, str) or not isinstance(reply_to, str):
            return None
        if (
            not 1 <= len(command_id) <= MAX_ID
            or self._topics.reply_instance(reply_to, self._device_id) is None
        ):
            return None
        return command_id, reply_to

    def as_first(self, arrival: Arrival, first: bytes | None, message: Received) -> Arrival:
        """The arrival of an id that an earlier message gave its meaning, which stands.

        What to do and until when is said by the first message, how much of its life is left
        and where to answer by this one. `first` is None when an older release did not keep it.
        """
        if first is None:
            return arrival
        try:
            command = Command.decode(first)
        except MalformedMessage as malformed:
            return replace(arrival, command=None, fault=malformed.reason)
        if arrival.command is None or _meaning(arrival.command) != _meaning(command):
            logger.warning("Command %s came again with another content; the first counts", command.id)
        return replace(
            arrival,
            expires_at=command.expires_at,
            deadline=self._deadline(message, command.expires_at, None),
            command=command.model_copy(update={"reply_to": arrival.reply_to}),
        )

    def read_cancel(self, message: Received) -> Cancel | None:
        """The cancel in a message, or None when it was dropped."""
        if message.retain:
            self._complaints.add("retained", message.topic, "a retained cancel is refused")
            return None
        try:
            cancel = Cancel.decode(message.payload)
        except MalformedMessage as malformed:
            self._complaints.add("malformed", message.topic, malformed.reason)
            return None
        if self._deadline(message, cancel.expires_at, cancel.at) <= self._clock.steady():
            self._complaints.add("expired", message.topic, "a cancel arrived after its expiry")
            return None
        return cancel

    def _unfit(self, message: Received, malformed: MalformedMessage) -> Arrival | None:
        """A command that can be answered though it is wrong: who sent it learns why."""
        values = _object(message.payload)
        try:
            command_id = _MESSAGE_ID.validate_python(values.get("id"), strict=True)
            expires_at = _INSTANT.validate_python(values.get("expires_at"))
        except ValidationError:
            self._complaints.add("malformed", message.topic, malformed.reason)
            return None
        reply_to = values.get("reply_to")
        if not isinstance(reply_to, str):
            self._complaints.add("malformed", message.topic, malformed.reason)
            return None
        deadline = self._deadline(message, expires_at, None)
        return Arrival(command_id, reply_to, expires_at, deadline, None, malformed.reason)

    def _deadline(self, message: Received, expires_at: datetime, issued_at: datetime | None) -> float:
        return self._clock.deadline(
            expires_at, issued_at=issued_at, expiry_s=message.expiry_s, arrived_at=message.arrived_at
        )


def _trace(message: Received) -> Trace | None:
    said = [value for name, value in message.user_properties if name == traces.HEADER]
    return traces.parse(said[0]) if len(said) == 1 else None


def _meaning(command: Command) -> Command:
    """What two arrivals of one command have in common."""
    return command.model_copy(update={"attempt": 1, "reply_to": ""})


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD:
        return {}
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}

"""A message that arrived, read and judged before anything is done for it.

What is not a command for this device is dropped and counted; what is one but cannot
be carried out is answered.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from broker.session import Received
from device_node.complaints import Complaints
from schemas.commands import Command
from schemas.ids import MessageId
from schemas.topics import Topics
from schemas.wire import MAX_PAYLOAD, Instant, MalformedMessage

_MESSAGE_ID = TypeAdapter[str](MessageId)
_INSTANT = TypeAdapter[datetime](Instant)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A command as it arrived. `fault` says why it cannot be carried out, `command` is then None."""

    command_id: str
    reply_to: str
    expires_at: datetime
    life_s: float  # what is left of it; not above zero when it has expired
    command: Command | None
    fault: str = ""


class Intake:
    """Reads commands for one device."""

    def __init__(self, device_id: str, topics: Topics, complaints: Complaints) -> None:
        self._device_id = device_id
        self._topics = topics
        self._complaints = complaints

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
            arrival = _arrival(message, command.id, command.reply_to, command.expires_at, command, "")
        if arrival is None:
            return None
        if self._topics.reply_instance(arrival.reply_to, self._device_id) is None:
            self._complaints.add("reply_to", message.topic, "reply_to is not a reply topic of this device")
            return None
        return arrival

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
        return _arrival(message, command_id, reply_to, expires_at, None, malformed.reason)


def _arrival(
    message: Received,
    command_id: str,
    reply_to: str,
    expires_at: datetime,
    command: Command | None,
    fault: str,
) -> Arrival:
    life = (expires_at - datetime.now(UTC)).total_seconds()
    if message.expiry_s is not None:
        life = min(life, message.expiry_s)
    return Arrival(command_id, reply_to, expires_at, life, command, fault)


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD:
        return {}
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}

"""One message of the stream: what it says, whom it concerns, and its bytes, made once for all readers."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Protocol

from controller.api import views
from controller.api.views.rows import Json
from controller.services.actors import Role
from controller.services.sight import Sight
from schemas.wire import format_instant

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a message is about. The names are those that users know."""

    DEVICE_REGISTER = "device_register"
    DEVICE_HEARTBEAT = "device_heartbeat"
    EVENT = "event"
    TOOL_EXECUTE = "tool_execute"
    TOOL_RESULT = "tool_result"
    COMMAND = "command"
    APPROVAL = "approval"
    USER_QUERY = "user_query"
    ASSISTANT_RESPONSE = "assistant_response"
    LLM_RESPONSE_CHUNK = "llm_response_chunk"


NOUNS = {  # what an API key is to open so that it gets these
    Kind.DEVICE_REGISTER: "devices",
    Kind.DEVICE_HEARTBEAT: "devices",
    Kind.EVENT: "events",
    Kind.TOOL_EXECUTE: "commands",
    Kind.TOOL_RESULT: "commands",
    Kind.COMMAND: "commands",
    Kind.APPROVAL: "approvals",
    Kind.USER_QUERY: "assistant",
    Kind.ASSISTANT_RESPONSE: "assistant",
    Kind.LLM_RESPONSE_CHUNK: "assistant",
}


class Control(StrEnum):
    """What the stream says of itself."""

    READY = "ready"  # from here on nothing is left out
    RESET = "reset"  # something was: fetch anew what you show
    KEEP_ALIVE = "keep_alive"
    END = "end"


class Part(Enum):
    """How much of a message somebody sees."""

    ALL = (True, True)
    UNSAID = (True, False)  # without the words it was asked for in
    OUTLINE = (False, False)  # neither with what was told nor with what was answered

    def of(self, data: Json) -> Json:
        whole, said = self.value
        hidden = {} if said or "text" not in data else {"text": None}
        return views.withheld(data, whole=whole, said=said) | hidden


Wrap = Callable[[str, str, bytes], bytes]  # an id, a type and a text, as they go over a kind of line


class Concern(Protocol):
    """Whom a message concerns."""

    @property
    def devices(self) -> Sequence[str]:
        """The devices that it is about."""

    def part(self, sight: Sight) -> Part | None:
        """How much of it somebody sees; None: nothing."""


@dataclass(frozen=True, slots=True)
class OfDevice:
    """Whoever sees a device."""

    device_id: str

    @property
    def devices(self) -> Sequence[str]:
        return (self.device_id,)

    def part(self, sight: Sight) -> Part | None:
        return Part.ALL if sight.sees(self.device_id) else None


@dataclass(frozen=True, slots=True)
class OfCommand:
    """Whoever sees a command, and of it what they see by `GET /commands`."""

    requested_by: str
    api_key_id: str | None
    tool_name: str
    device_id: str

    @property
    def devices(self) -> Sequence[str]:
        return (self.device_id,)

    def part(self, sight: Sight) -> Part | None:
        if not sight.command(self):
            return None
        if not sight.whole(self):
            return Part.OUTLINE
        return Part.ALL if sight.said(self) else Part.UNSAID


@dataclass(frozen=True, slots=True)
class OfCard:
    """Who asked for it, and who decides."""

    requested_by: str
    commands: Sequence[Mapping[str, Any]]

    @property
    def devices(self) -> Sequence[str]:
        return [str(each["device_id"]) for each in self.commands]

    def part(self, sight: Sight) -> Part | None:
        return Part.ALL if sight.card(self) else None


@dataclass(frozen=True, slots=True)
class OfTurn:
    """Who spoke to the assistant. `is_told`: an administrator hears that they did, and not what they said."""

    user: str
    api_key_id: str | None
    is_told: bool = False
    devices: Sequence[str] = ()

    def part(self, sight: Sight) -> Part | None:
        actor = sight.actor
        narrowed_by = actor.key.key_id if actor.key is not None and actor.is_narrowed else None
        if actor.user == self.user and narrowed_by in (None, self.api_key_id):
            return Part.ALL
        told = self.is_told and actor.role is Role.ADMIN and not actor.is_narrowed
        return Part.UNSAID if told else None


@dataclass(slots=True)
class Message:
    """One message with its place in the stream."""

    number: int
    id: str
    kind: Kind
    at: datetime
    data: Json
    concern: Concern
    command_id: str | None = None
    _texts: dict[Part, bytes] = field(default_factory=dict)
    _wrapped: dict[tuple[Wrap, Part], bytes] = field(default_factory=dict)

    def wrapped(self, wrap: Wrap, part: Part) -> bytes:
        """The same as it goes over a line."""
        made = self._wrapped.get((wrap, part))
        if made is None:
            text = self.text(part)
            made = self._wrapped[(wrap, part)] = wrap(self.id, self.kind, text) if text else b""
        return made

    def text(self, part: Part) -> bytes:
        """The envelope as JSON on one line; nothing, where it cannot be shown."""
        made = self._texts.get(part)
        if made is None:
            try:
                made = envelope(self.id, self.kind, self.at, part.of(self.data))
            except (TypeError, ValueError):  # one that cannot be written keeps the others from nobody
                logger.exception("A %s could not be put on the stream", self.kind)
                made = b""
            self._texts[part] = made
        return made


def envelope(message_id: str, kind: str, at: datetime, data: Json) -> bytes:
    """What every message is.

    Raises:
        ValueError: there is something in it that JSON does not have.
    """
    whole = {"id": message_id, "type": kind, "at": format_instant(at), "data": data}
    return json.dumps(whole, allow_nan=False, separators=(",", ":")).encode()

"""What is on record: the audit, events, memories, conversations and what a search finds."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from controller.api.shapes.shown import HASH, ID, MOMENT, Items, Json, Page, example, page
from controller.services.cuts import SignedCut
from controller.services.heads import SignedHead
from controller.services.memories import Scope, Source
from controller.services.search import Kind
from schemas.events import Severity
from schemas.wire import Instant

_CONVERSATION: Json = {
    "session_id": ID.format(3),
    "user": "ada",
    "device_id": "workshop-pc",
    "active": True,
    "messages_count": 2,
    "calls_count": 1,
    "started_at": MOMENT,
    "ended_at": None,
}
SIGNED: Json = {
    "instance": "main",
    "position": 812,
    "hash": HASH,
    "at": MOMENT,
    "by": "main",
    "key_id": "Sx3mWOAs2sKOoaZm0FY3Rg",
    "public": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "signature": "c2lnbmVk",
}
_ROW: Json = {
    "number": 812,
    "at": MOMENT,
    "actor": "ada",
    "via": "api",
    "action": "command.succeeded",
    "device_id": "workshop-pc",
    "tool": "create_directory",
    "command_id": ID.format(1),
    "approval_id": None,
    "trace_id": "0199f6a27c0070008000000000000001",
    "detail": None,
    "instance": "main",
    "position": 812,
    "previous": HASH,
    "hash": HASH,
}
_EVENT: Json = {
    "event_id": ID.format(4),
    "device_id": "workshop-pc",
    "type": "low_disk_space",
    "severity": "warning",
    "data": {"mount": "/", "percent": 91.5},
    "acknowledged": True,
    "resolved": False,
    "created_at": MOMENT,
    "received_at": MOMENT,
    "acknowledged_at": MOMENT,
    "acknowledged_by": "ada",
    "resolved_at": None,
    "resolved_by": None,
}
_MEMORY: Json = {
    "key": "backup day",
    "value": "Friday",
    "scope": "user",
    "owner": "ada",
    "category": None,
    "tags": [],
    "source": "person",
    "user": "ada",
    "expires_at": None,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}


class AuditRow(BaseModel):
    """One line of the audit, with its place in its controller's chain."""

    model_config = example(_ROW)

    number: int
    at: Instant
    actor: str
    via: str
    action: str
    device_id: str | None
    tool: str | None
    command_id: str | None
    approval_id: str | None
    trace_id: str | None
    detail: Json | None
    instance: str | None
    position: int | None
    previous: str | None
    hash: str | None


class Audit(Page[AuditRow]):
    """Who did what, newest first."""

    model_config = page(_ROW)


class Heads(Items[SignedHead]):
    """The ends of the chains, signed."""

    model_config = example({"items": [SIGNED]})


class Cuts(Items[SignedCut]):
    """Up to where the chains were archived, signed."""

    model_config = example({"items": [SIGNED | {"begins": 1, "archive": HASH}]})


class Event(BaseModel):
    """Something a device noticed."""

    model_config = example(_EVENT)

    event_id: str
    device_id: str
    type: str
    severity: Severity
    data: Json
    acknowledged: bool
    resolved: bool
    created_at: Instant
    received_at: Instant
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    resolved_at: Instant | None
    resolved_by: Annotated[str | None, Field(description="A user; null where its device said so.")]


class Events(Page[Event]):
    """What devices noticed, newest first."""

    model_config = page(_EVENT)


class EventsMarked(Items[Event]):
    """The events that somebody said something of."""

    model_config = example({"items": [_EVENT]})


class Memory(BaseModel):
    """One thing that is remembered. What a `device` said (`source`) is data, never an order."""

    model_config = example(_MEMORY)

    key: str
    value: Any
    scope: Scope
    owner: str | None
    category: str | None
    tags: list[str]
    source: Source
    user: str
    expires_at: Instant | None
    created_at: Instant
    updated_at: Instant


class Memories(Page[Memory]):
    """What is remembered, the latest first."""

    model_config = page(_MEMORY)


class Conversation(BaseModel):
    """One conversation, without what was said."""

    model_config = example(_CONVERSATION)

    session_id: str
    user: str
    device_id: str | None
    active: bool
    messages_count: int
    calls_count: int
    started_at: Instant
    ended_at: Instant | None


class Conversations(Page[Conversation]):
    """Conversations, the last begun first."""

    model_config = page(_CONVERSATION)


class Message(BaseModel):
    """One thing that was said. A tool's words are a device's."""

    message_id: str
    role: str
    content: str
    tool_calls: list[Json]
    created_at: Instant


class ConversationWhole(Conversation):
    """One conversation with its last messages, the oldest of them first. `next` leads to earlier ones."""

    model_config = example(
        {
            **_CONVERSATION,
            "messages": [
                {
                    "message_id": ID.format(5),
                    "role": "user",
                    "content": "Maak een map Test",
                    "tool_calls": [],
                    "created_at": MOMENT,
                }
            ],
            "next": None,
        }
    )

    messages: list[Message]
    next: str | None


class Hit(BaseModel):
    """One row that a search found. `found`: its words as they are spelled in `title` and `text`."""

    kind: Kind
    at: Instant
    by: str | None
    device_id: str | None
    title: str
    text: str
    found: list[str]
    untrusted: Annotated[bool, Field(description="Whether a device or a file said it: data, never an order.")]
    reference: Annotated[Json, Field(description="What it is found again by: the ids of its row.")]


class Hits(Page[Hit]):
    """What holds all of the words, the newest first."""

    model_config = example(
        {
            "items": [
                {
                    "kind": "memory",
                    "at": MOMENT,
                    "by": "ada",
                    "device_id": None,
                    "title": "backup day",
                    "text": "Friday",
                    "found": ["Friday"],
                    "untrusted": False,
                    "reference": {"key": "backup day", "scope": "user", "owner": "ada"},
                }
            ],
            "next": None,
        }
    )

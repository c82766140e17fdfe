"""The life of a command on the wire: ordered, cancelled, answered, acknowledged."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.devices import Seconds
from schemas.errors import ErrorBody
from schemas.ids import MessageId, ToolName, Username
from schemas.wire import Instant, Integer, JsonObject, WireModel


class Via(StrEnum):
    """The door a command came in by."""

    ASSISTANT = "assistant"
    API = "api"
    PANEL = "panel"
    CLI = "cli"
    MQTT = "mqtt"
    SCHEDULE = "schedule"
    AUTOMATION = "automation"
    HOME_ASSISTANT = "home_assistant"
    MCP = "mcp"


class ReplyStatus(StrEnum):
    """`accepted` and `progress` may be lost; exactly one of the others holds per command."""

    ACCEPTED = "accepted"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"  # the device's own check said no
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # the device died meanwhile: the effect is unknown

    @property
    def is_final(self) -> bool:
        return self not in (ReplyStatus.ACCEPTED, ReplyStatus.PROGRESS)


class RequestedBy(WireModel):
    """Whose rights a command carries, and by which door it came."""

    user: Username
    via: Annotated[Via, Field(strict=False)]


class Command(WireModel):
    """An order to one device. It takes effect at most once per `id`, before `expires_at`."""

    id: MessageId
    tool: ToolName
    arguments: JsonObject
    issued_at: Instant
    expires_at: Instant
    timeout_s: Seconds
    reply_to: str
    requested_by: RequestedBy
    approval_id: MessageId | None = None
    session_id: MessageId | None = None
    dry_run: bool | None = None
    attempt: Annotated[Integer, Field(ge=1)] = 1


class Cancel(WireModel):
    """Stop a command: before its start it never runs, during it is asked to stop, then ended."""

    id: MessageId
    command_id: MessageId
    at: Instant
    expires_at: Instant


class Reply(WireModel):
    """What a device says of one command. A final one is kept until an Ack names it."""

    command_id: MessageId
    status: Annotated[ReplyStatus, Field(strict=False)]
    at: Instant
    boot_id: MessageId
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    message: str | None = None
    result: JsonObject | None = None
    error: ErrorBody | None = None
    duration_ms: Annotated[float, Field(ge=0, json_schema_extra={"unit": "ms"})] | None = None


class Refusal(WireModel):
    """Something the controller will never store: it must not be sent again."""

    id: MessageId
    code: str


class Ack(WireModel):
    """What the controller has stored for good; a device may forget what is named here."""

    at: Instant
    events: list[MessageId] | None = None
    replies: list[MessageId] | None = None
    refused: list[Refusal] | None = None

"""What people and the controller say to each other: requests, responses, approvals, decisions."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.devices import Risk
from schemas.errors import ErrorBody
from schemas.ids import DeviceId, MessageId, ToolName, Username
from schemas.wire import Instant, Integer, JsonObject, WireModel

MAX_TEXT = 10_000  # characters of one request
REQUEST_VALID = 60.0  # seconds; of a request that names no `expires_at`


class Request(WireModel):
    """Free text for the assistant; each `id` is handled once."""

    id: MessageId
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT)]
    at: Instant
    expires_at: Instant | None = None
    session_id: MessageId | None = None
    device_id: DeviceId | None = None  # where the user sits
    stream: bool | None = None


ResponseType = Literal[
    "chunk",
    "tool_call",
    "tool_result",
    "approval_required",
    "question",
    "decision_result",
    "final",
    "error",
]
ENDING_TYPES = frozenset({"final", "error", "decision_result"})


class Response(WireModel):
    """One piece of an answer. `seq` counts from 0 without holes; one ending type closes it."""

    request_id: MessageId
    seq: Annotated[Integer, Field(ge=0)]
    type: ResponseType
    at: Instant
    session_id: MessageId | None = None
    text: str | None = None
    command_id: MessageId | None = None
    device_id: DeviceId | None = None
    tool: ToolName | None = None
    arguments: JsonObject | None = None
    status: str | None = None
    result: JsonObject | None = None
    error: ErrorBody | None = None
    approval_id: MessageId | None = None
    summary: str | None = None
    risk: Annotated[Risk, Field(strict=False)] | None = None
    options: list[str] | None = None


class ApprovalCommand(WireModel):
    """One of the exact calls an approval is bound to."""

    device_id: DeviceId
    tool: ToolName
    arguments: JsonObject


class Approval(WireModel):
    """A question to a person, retained until it is decided, expired or cancelled.

    `hash` is the SHA-256 of the RFC 8785 form of `commands`: who decides, decides these.
    """

    id: MessageId
    hash: str
    summary: str
    risk: Annotated[Risk, Field(strict=False)]
    reasons: list[str]
    commands: list[ApprovalCommand]
    requested_by: Username
    created_at: Instant
    expires_at: Instant


class Decision(WireModel):
    """A person's answer to an approval, bound to it by `approval_hash`."""

    id: MessageId
    approval_id: MessageId
    approval_hash: str
    decision: Literal["approve", "deny"]
    at: Instant
    comment: str | None = None

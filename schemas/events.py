"""Something a device noticed. Each `id` is stored once, however often it arrives."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.ids import MessageId
from schemas.wire import Instant, JsonObject, WireModel


class Severity(StrEnum):
    """How soon a person should look."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Event(WireModel):
    """`type` is one of the types in use or the device's own; `resolves` names an earlier event."""

    id: MessageId
    type: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    severity: Annotated[Severity, Field(strict=False)]
    data: JsonObject
    at: Instant
    resolves: MessageId | None = None

"""How a message is read and written: one JSON object, UTF-8, at most 256 KiB.

`decode` is the only way in. What it lets through is well-typed to the last
field; what it refuses raises `MalformedMessage` and nothing else.
"""

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

MAX_PAYLOAD = 256 * 1024  # bytes
MAX_REASON = 300  # characters of why a message was refused

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")


class MalformedMessage(ValueError):
    """A payload that is not the message its topic promises.

    `reason` names the field and the fault, never the value: values may be secret.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"malformed {kind}: {reason}")
        self.kind = kind
        self.reason = reason


def _only_rfc3339(value: object) -> object:
    # pydantic alone would also take epoch seconds and times without a zone
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.fullmatch(value)):
        return value
    raise ValueError("not an RFC 3339 time with a zone")


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs a zone")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time beyond the calendar") from error


def format_instant(value: datetime) -> str:
    """`2026-02-12T10:30:05.120Z`: RFC 3339, UTC, milliseconds."""
    # not strftime: it writes the year 1 as "1" on some systems, which nobody can read back
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _finite(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # RFC 8259 has no NaN and no infinity; the parser below pydantic reads both
    waiting: list[JsonValue] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError("NaN and infinity are not JSON")
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return value


def _integral(value: object) -> object:
    # JSON has one number type: 1.0 is the integer 1 there, and some clients write it so
    return int(value) if isinstance(value, float) and value.is_integer() else value


Instant = Annotated[
    datetime,
    Field(strict=False),
    BeforeValidator(_only_rfc3339),
    AfterValidator(_to_utc),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_finite)]
Integer = Annotated[int, BeforeValidator(_integral)]


class WireModel(BaseModel):
    """One JSON object on the wire: frozen, strict, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    def encode(self) -> bytes:
        """The payload to publish; a field that is `None` is left out."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()

    def to_json(self) -> dict[str, Any]:
        """The same as `encode`, as plain JSON values."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)

    @classmethod
    def restore(cls, text: str) -> Self:
        """Read back what `encode` wrote into a store. It was admitted when it came: no limit of size."""
        return cls.model_validate_json(text)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read one message.

        Raises:
            MalformedMessage: too large, not JSON, not an object, or a required
                field is missing or of another type.
        """
        if len(payload) > MAX_PAYLOAD:
            raise MalformedMessage(cls.__name__, f"{len(payload)} bytes, at most {MAX_PAYLOAD}")
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            raise MalformedMessage(cls.__name__, _reason(error)) from None


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    reason = f"{where}: {first['msg']}" if where else first["msg"]
    # names of fields come from the sender: they may be long, or try to be a log line of their own
    return "".join(letter if letter.isprintable() else "?" for letter in reason[:MAX_REASON])

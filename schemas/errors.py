"""Why something did not happen, in words that programs and people share."""

from enum import StrEnum

from schemas.wire import JsonObject, WireModel


class ErrorCode(StrEnum):
    """The closed list of causes. A new one is a change of `wire.md`."""

    UNKNOWN_TOOL = "unknown_tool"
    TOOL_CHANGED = "tool_changed"
    INVALID_ARGUMENTS = "invalid_arguments"
    PATH_NOT_ALLOWED = "path_not_allowed"
    APP_NOT_ALLOWED = "app_not_allowed"
    PERMISSION_DENIED = "permission_denied"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_EXPIRED = "approval_expired"
    EXPIRED = "expired"
    DEVICE_OFFLINE = "device_offline"
    UNKNOWN_DEVICE = "unknown_device"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    BAD_SIGNATURE = "bad_signature"
    REPLAYED = "replayed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    NOT_SUPPORTED = "not_supported"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class ErrorBody(WireModel):
    """An error on the wire. `message` is a sentence for a person, never a traceback."""

    code: str  # one of ErrorCode from our own programs; a newer device may know more
    message: str
    detail: JsonObject | None = None

"""Why a tool did not do what it was asked, as it travels in a reply.

Errors of the system are translated here, once, so that every tool says the same
of the same cause; no message carries a traceback.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import JsonObject


class ToolError(Exception):
    """The call ends without success: a code for programs, a sentence for people."""

    def __init__(self, code: ErrorCode, message: str, detail: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self.message = shown(message)
        super().__init__(self.message)
        self.detail: JsonObject | None = dict(detail) if detail else None

    def body(self) -> ErrorBody:
        """The error as it travels."""
        return ErrorBody(code=self.code, message=self.message, detail=self.detail)


class PathNotAllowed(ToolError):
    """The path is, or leads, outside the allowed folders."""

    def __init__(self, path: str, why: str = "is outside the allowed folders") -> None:
        super().__init__(ErrorCode.PATH_NOT_ALLOWED, f"{shown(path)} {why}.")


_CAUSES: dict[int, tuple[ErrorCode, str]] = {
    errno.ENOENT: (ErrorCode.NOT_FOUND, "does not exist"),
    errno.EEXIST: (ErrorCode.ALREADY_EXISTS, "exists already"),
    errno.EACCES: (ErrorCode.PERMISSION_DENIED, "is closed to the user that the node runs as"),
    errno.EPERM: (ErrorCode.PERMISSION_DENIED, "is closed to the user that the node runs as"),
    errno.EROFS: (ErrorCode.PERMISSION_DENIED, "is on a read-only file system"),
    errno.ELOOP: (ErrorCode.PATH_NOT_ALLOWED, "turned into a link while it was used"),
    errno.ESTALE: (ErrorCode.CONFLICT, "was swapped by another program while it was used"),
    errno.ENOTDIR: (ErrorCode.CONFLICT, "goes through something that is no folder"),
    errno.EISDIR: (ErrorCode.CONFLICT, "is a folder"),
    errno.ENOTEMPTY: (ErrorCode.CONFLICT, "is not empty"),
    errno.ENAMETOOLONG: (ErrorCode.INVALID_ARGUMENTS, "is too long for this file system"),
    errno.EINVAL: (ErrorCode.INVALID_ARGUMENTS, "is not possible on this file system"),
    errno.ENOSPC: (ErrorCode.CONFLICT, "does not fit: the disk is full"),
    errno.EDQUOT: (ErrorCode.CONFLICT, "does not fit: the quota is used up"),
    errno.EFBIG: (ErrorCode.PAYLOAD_TOO_LARGE, "would be larger than a file may be here"),
    errno.EBUSY: (ErrorCode.BUSY, "is in use"),
    errno.ETXTBSY: (ErrorCode.BUSY, "is in use"),
}


def from_system(error: OSError, what: str) -> ToolError:
    """What the system said of `what`, as a tool's error."""
    code, words = _CAUSES.get(error.errno or 0, (ErrorCode.INTERNAL, ""))
    if not words:
        words = f"could not be used: {error.strerror or type(error).__name__}"
    return ToolError(code, f"{shown(what)} {words}.")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors of the system inside become errors of the tool."""
    try:
        yield
    except OSError as error:
        raise from_system(error, what) from error


def shown(name: str) -> str:
    r"""A name that is safe in JSON: bytes that are no UTF-8 are written as \xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

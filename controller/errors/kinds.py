"""The kinds of what can go wrong: each has a code, and the HTTP API a status for it."""

from schemas.errors import ErrorBody, ErrorCode


class OrionError(Exception):
    """Something the caller can be told: a code for programs, a sentence for people."""

    code: ErrorCode = ErrorCode.INTERNAL

    def body(self) -> ErrorBody:
        """The error as it travels."""
        return ErrorBody(code=self.code, message=str(self))


class NotFound(OrionError):
    """What was named does not exist."""

    code = ErrorCode.NOT_FOUND


class Conflict(OrionError):
    """The request fits no longer, or not yet, with what is stored."""

    code = ErrorCode.CONFLICT


class InvalidArguments(OrionError):
    """What was given is not what was asked for."""

    code = ErrorCode.INVALID_ARGUMENTS


class InvalidCursor(InvalidArguments):
    """A page was asked for behind a place that no page of this list ended with."""

    def __init__(self) -> None:
        super().__init__("That is no cursor of this list; take `next` of the page before, or leave it out.")


class MatchNeeded(InvalidArguments):
    """A change was asked for without saying of what."""

    def __init__(self) -> None:
        super().__init__("If-Match is missing: the ETag of what you looked at, or * for whatever there is.")


class Refused(OrionError):
    """The caller may not do this."""

    code = ErrorCode.PERMISSION_DENIED


class TooManyWaiting(Refused):
    """More wait for something than may."""

    code = ErrorCode.RATE_LIMITED
    retry_after = 60  # seconds

    def __init__(self) -> None:
        super().__init__("Too many wait for an answer; try again in a few minutes.")


class ProviderError(OrionError):
    """The language model did not give a usable answer.

    `retryable` says whether the same request may succeed in a moment.
    """

    def __init__(
        self, message: str, *, retryable: bool = False, code: ErrorCode = ErrorCode.INTERNAL
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.code = code


class Incomplete(OrionError):
    """A part of it was done, and the disk or the broker did not take the rest; the message says which, and what to do."""

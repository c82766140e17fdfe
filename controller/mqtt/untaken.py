"""Why a broker did not take a command, as its end says it."""

from broker.session import PayloadTooLarge, PublishRefused, SessionError
from schemas.errors import ErrorBody, ErrorCode


def why(error: BaseException) -> ErrorBody:
    """The error of a publishing that failed for good."""
    if isinstance(error, PayloadTooLarge):
        return ErrorBody(code=ErrorCode.PAYLOAD_TOO_LARGE, message=f"{error}")
    if isinstance(error, (PublishRefused, SessionError)):
        return ErrorBody(code=ErrorCode.INTERNAL, message=f"The broker did not take it: {error}")
    return ErrorBody(code=ErrorCode.INTERNAL, message="It could not be published.")

"""Answers to what never comes to the application: they carry by themselves what its layers put on all others."""

import logging

from starlette.responses import Response

from controller.api import headers, problems, tracing
from schemas import context, traces
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)

_CODES = {403: ErrorCode.PERMISSION_DENIED, 431: ErrorCode.PAYLOAD_TOO_LARGE, 500: ErrorCode.INTERNAL}
_CARRIED = headers.ALWAYS | headers.UNLESS_SAID | headers.NOT_KEPT | {"Connection": "close"}


def outside(status: int, detail: str) -> Response:
    """A refusal after which the connection ends, in the trace of the work at hand or in one of its own."""
    trace = context.trace() or traces.begun()
    with context.about(trace):
        logger.info("What came on a connection was refused with %d", status)
        carried = _CARRIED | {tracing.ANSWERED: trace.trace_id}
        code = _CODES.get(status, ErrorCode.INVALID_ARGUMENTS)
        return problems.problem(status, code, detail, headers=carried)

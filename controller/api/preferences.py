"""What somebody would rather have (RFC 7240): to wait for the end of what they asked for, for a while."""

import re

from fastapi import Request, Response

from controller.api.shapes import Json
from controller.errors import InvalidArguments

LONGEST_WAIT = 300.0  # seconds
MAX_PREFER = 200  # characters
PREFER: Json = {  # of a route that may be waited for, as its description has it
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "description": "`wait=10`: answer once the command has ended, or after so many seconds.",
            "schema": {"type": "string", "maxLength": MAX_PREFER, "examples": ["wait=10"]},
        }
    ]
}

# one of several preferences, whose name is in any case and whose value may be quoted
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*("?)([0-9]+)\1\s*(?:[,;]|$)', re.IGNORECASE)


def wanted_wait(prefer: str) -> float:
    """The seconds of `Prefer: wait=10`; 0 without it."""
    match = _WAIT.search(prefer)
    return min(float(match[2]), LONGEST_WAIT) if match else 0.0


def patience(request: Request) -> float:
    """The seconds that whoever asks is ready to wait. Read here: a header that a route declares costs each look more than its answer.

    Raises:
        InvalidArguments: it says too much.
    """
    if "prefer" not in request.headers:
        return 0.0
    prefer = ", ".join(request.headers.getlist("prefer"))
    if len(prefer) > MAX_PREFER:
        raise InvalidArguments(f"Prefer must have at most {MAX_PREFER} characters.")
    return wanted_wait(prefer)


def applied(response: Response, patience_s: float) -> None:
    """Say in the answer that it was waited for."""
    if patience_s:
        response.headers["Preference-Applied"] = f"wait={patience_s:.0f}"

"""What somebody would rather have (RFC 7240): to wait for the end of what they asked for, for a while."""

import re
from typing import Annotated

from fastapi import Header, Response
from pydantic import BeforeValidator, WithJsonSchema

LONGEST_WAIT = 300.0  # seconds
MAX_PREFER = 200  # characters

# one of several preferences, whose name is in any case and whose value may be quoted
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*("?)([0-9]+)\1\s*(?:[,;]|$)', re.IGNORECASE)


def wanted_wait(prefer: str) -> float:
    """The seconds of `Prefer: wait=10`; 0 without it."""
    match = _WAIT.search(prefer)
    return min(float(match[2]), LONGEST_WAIT) if match else 0.0


def _seconds(prefer: str) -> float:
    if len(prefer) > MAX_PREFER:
        raise ValueError(f"must have at most {MAX_PREFER} characters")
    return wanted_wait(prefer)


Patience = Annotated[  # seconds, which the header says
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "maxLength": MAX_PREFER}),
    Header(
        alias="Prefer",
        description="`wait=10`: answer once the command has ended, or after so many seconds.",
        examples=["wait=10"],
    ),
]


def applied(response: Response, patience_s: float) -> None:
    """Say in the answer that it was waited for."""
    if patience_s:
        response.headers["Preference-Applied"] = f"wait={patience_s:.0f}"

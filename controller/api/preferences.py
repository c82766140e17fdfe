"""What somebody would rather have (RFC 7240): to wait for the end of what they asked for, for a while."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

LONGEST_WAIT = 300.0  # seconds

_WAIT = re.compile(r"\bwait=(\d{1,4})\b")


def wanted_wait(prefer: str) -> float:
    """The seconds of `Prefer: wait=10`; 0 without it."""
    match = _WAIT.search(prefer)
    return min(float(match[1]), LONGEST_WAIT) if match else 0.0


Prefer = Annotated[
    str,
    Header(
        max_length=200,
        description="`wait=10`: answer once the command has ended, or after so many seconds.",
        examples=["wait=10"],
    ),
]


async def _patience(response: Response, prefer: Prefer = "") -> float:
    seconds = wanted_wait(prefer)
    if seconds:
        response.headers["Preference-Applied"] = f"wait={seconds:.0f}"
    return seconds


Patience = Annotated[float, Depends(_patience)]

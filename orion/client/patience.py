"""Waiting where the controller says that it is asked too often. Such a request was not carried out."""

import time
from collections.abc import Callable
from http import HTTPStatus

from orion.client.errors import Refused

IN_ALL = 20.0  # seconds that one request waits for its turn
UNTOLD = 1.0  # second, where it is not said for how long
DIGITS = 6  # of seconds; more of them are no time to wait for


class Patience:
    """What is left of it for one request, and all that it is repeated."""

    def __init__(self, wait: Callable[[float], None] = time.sleep) -> None:
        self._wait = wait
        self._waited = 0.0

    def wait(self, refused: Refused) -> None:
        """Return when it is time to ask again.

        Raises:
            Refused: it is no matter of time, or takes longer than we wait.
        """
        if refused.status != HTTPStatus.TOO_MANY_REQUESTS:
            raise refused
        pause = _seconds(refused.retry_after)
        if self._waited + pause > IN_ALL:
            raise self._given_up(refused, pause) from refused
        self._waited += pause
        self._wait(pause)

    def _given_up(self, refused: Refused, pause: float) -> Refused:
        waited = f" after waiting {self._waited:.0f} s" if self._waited else ""
        return Refused(
            refused.status,
            refused.code,
            f"{refused} Given up{waited}; nothing was done. Try again in {pause:.0f} s.",
            refused.error,
            refused.retry_after,
        )


def _seconds(said: str | None) -> float:
    """How long to wait. A date, or nothing, is no number of seconds and stands for a moment."""
    if said is None or not (said.isascii() and said.isdigit()):
        return UNTOLD
    return float(said) if len(said) <= DIGITS else float(10**DIGITS)

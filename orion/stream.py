"""Following what happens for as long as somebody looks, past a controller that was away and a token that ended."""

import time
from collections.abc import Callable, Iterator
from http import HTTPStatus

from orion.client import Client, ClientError, Json, Refused

PAUSE, LONGEST = 0.3, 5.0  # seconds between two tries, the first and at most
KEEP_ALIVE, END = "keep_alive", "end"
WHY = {
    "unauthorized": "the sign-in has to be renewed",
    "too_slow": "too much happened for what could be shown",
    "stopping": "the controller stops",
    "try_again": "the controller cannot serve it now",
}


def follow(client: Client, say: Callable[[str], None], **query: object) -> Iterator[Json]:
    """Each message, without those that only keep the line alive.

    Raises:
        ClientError: it could not even begin, or is refused by now.
    """
    last: str | None = None
    pause, away = PAUSE, False
    while True:
        try:
            for message in client.stream(after=last, **query):
                last, pause, away = message["id"], PAUSE, False
                if message["type"] not in (KEEP_ALIVE, END):
                    yield message
                elif message["type"] == END:
                    reason = str(message["data"]["reason"])
                    say(f"Interrupted: {WHY.get(reason, reason)}. It goes on by itself.")
        except ClientError as error:
            if last is None or _is_final(error):
                raise
            if not away:
                say(f"{str(error).rstrip('.')}. It is waited for.")
            away = True
        time.sleep(pause)
        pause = min(LONGEST, 2 * pause)


def _is_final(error: ClientError) -> bool:
    """Whether it would say so again; what ails the controller, and that there is no room, may pass."""
    passing = {HTTPStatus.TOO_MANY_REQUESTS}
    return (
        isinstance(error, Refused)
        and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        and error.status not in passing
    )

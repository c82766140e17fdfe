"""Somebody's session, held by us while the password changes that it was opened with.

Mosquitto 2.0.11 judges every session anew when it reads its files. One whose password does not
fit any more is ended and left without the rights of its name: until its owner comes back,
what is sent to it is dropped, and the sender is told that it arrived. Patterns go on to hold,
so devices lose nothing. For everybody else we are there in their place: a session of ours
keeps its rights, and when the owner comes back Mosquitto drops what the owner may not read.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from broker.identities.register import Credentials
from broker.session import ConnectFailed, Endpoint, Session

logger = logging.getLogger(__name__)

CONNECT_WITHIN = 2.0  # seconds


@asynccontextmanager
async def held(username: str, socket: Path, keeper: Credentials) -> AsyncIterator[None]:
    """Be there as `username` inside the block; the session and its queue stay for the owner."""
    endpoint = Endpoint(str(socket), 1, keeper.username, keeper.password)
    session = Session(endpoint, client_id=username, receive_maximum=1)
    try:
        await session.connect(within_s=CONNECT_WITHIN)
    except ConnectFailed as error:
        logger.warning("What is sent to %s may be lost until they connect again: %s", username, error)
    try:
        yield
    finally:
        await session.close()

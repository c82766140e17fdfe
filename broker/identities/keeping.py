"""Somebody's session in our hands, while what it was opened with is taken away or replaced.

Mosquitto 2.0.11 judges every session anew when it reads its files, also those of who is away. One that
does not fit any more is ended, and that hurts in two ways. It keeps the name's rights no
longer: what is sent to it is dropped until its owner comes back, and the sender is told that
it arrived. And one that was away already is put into the list of sessions that expire a
second time; when its owner comes back it leaves that list once, and the broker dies of the
rest. So nobody's session is left to that judgement: before the broker reads, and once more
after, we are there in the owner's place. A session of ours fits always, and when the owner
comes back Mosquitto drops what the owner may not read.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from broker.identities.register import Credentials
from broker.session import ConnectFailed, Endpoint, Session

logger = logging.getLogger(__name__)

CONNECT_WITHIN = 2.0  # seconds
KEPT_FOR = 7 * 86_400  # seconds, as our own programs ask for


@asynccontextmanager
async def held(username: str, socket: Path, keeper: Credentials, *, queue: bool) -> AsyncIterator[None]:
    """Be there as `username` inside the block. With `queue` the session and what waits in it stay for the owner."""
    endpoint = Endpoint(str(socket), 1, keeper.username, keeper.password)
    lasts = KEPT_FOR if queue else 0
    session = Session(
        endpoint, client_id=username, receive_maximum=1, session_expiry_s=lasts, clean_start=not queue
    )
    try:
        await session.connect(within_s=CONNECT_WITHIN)
    except ConnectFailed as error:
        logger.warning("The session of %s cannot be held: %s", username, error)
    try:
        yield
    finally:
        await session.close()

"""Whether the broker lets somebody in, proven by a real CONNECT."""

import asyncio

from broker.session import ConnectFailed, Endpoint, Session

ACTIVE_EVERY = 0.05  # seconds between two attempts to connect as somebody new


async def await_active(endpoint: Endpoint, *, within_s: float = 5.0) -> None:
    """Return once the broker lets a NEW identity in, proven by a real CONNECT.

    The client id is the username, so this ends the connection of somebody who is connected
    by that name. It leaves no session behind, also none that an earlier owner left.

    Raises:
        ConnectFailed: not within `within_s`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        left = deadline - loop.time()
        session = Session(endpoint, client_id=endpoint.username or "", session_expiry_s=0, clean_start=True)
        try:
            await session.connect(within_s=max(0.1, left))
        except ConnectFailed:
            if left <= ACTIVE_EVERY:
                raise
            await asyncio.sleep(ACTIVE_EVERY)
        else:
            await session.close()
            return

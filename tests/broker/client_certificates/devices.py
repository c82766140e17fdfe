"""A device that comes with a certificate."""

import asyncio

from broker.session import ConnectFailed, Endpoint, Session
from tests.broker.encrypted import EncryptedBroker

EVENT, COMMAND = "orion/v1/devices/lamp/event", "orion/v1/devices/lamp/command"


async def a_device(secure: EncryptedBroker, name: str = "lamp", username: str | None = None) -> Endpoint:
    return secure.by_certificate(await asyncio.to_thread(secure.issue, name), username)


async def refused(endpoint: Endpoint, client_id: str = "lamp") -> bool:
    session = Session(endpoint, client_id=client_id)
    try:
        await session.connect(within_s=5)
    except ConnectFailed:
        return True
    await session.close()
    return False

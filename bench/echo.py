"""The asking side of a bare MQTT echo: the least that two programs and a broker can take."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.session import Endpoint, PublishProperties, Session, Subscription

PAD = b"x" * 540  # with it a message is about as long as a command
ANSWER_WITHIN = 30.0  # seconds


class Echo:
    """Says something and waits until the same comes back; as many at once as one likes."""

    def __init__(self, session: Session, listen: str) -> None:
        self._session = session
        self._listen = listen
        self._numbers = itertools.count()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}

    @classmethod
    @asynccontextmanager
    async def connected(cls, place: Endpoint, listen: str, answer: str) -> AsyncIterator["Echo"]:
        """An echo whose other side listens on one topic and answers on the other."""
        session = Session(place, client_id=place.username or "", clean_start=True)
        await session.connect()
        await session.subscribe([Subscription(answer)])
        echo = cls(session, listen)
        hearing = asyncio.create_task(echo._hear(), name="hearing")
        try:
            yield echo
        finally:
            hearing.cancel()
            await session.close()

    async def once(self) -> None:
        """One round trip."""
        payload = b'{"number": %012d, "pad": "%s"}' % (next(self._numbers), PAD)
        answered = self._waiting[payload] = asyncio.get_running_loop().create_future()
        self._session.publish(
            self._listen, payload, properties=PublishProperties(content_type="application/json")
        )
        async with asyncio.timeout(ANSWER_WITHIN):
            await answered

    async def _hear(self) -> None:
        while True:
            for message in await self._session.receive(100):
                self._session.ack(message)
                self._waiting.pop(message.payload).set_result(None)

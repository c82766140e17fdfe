"""What has arrived and was not yet taken, in order and bounded.

QoS 1 is bounded by the Receive Maximum that the broker was told, as far as it minds that
(Mosquitto 2.0.11 sends more once messages have had to wait in it), and by the transport, which
then reads no more; of QoS 0 the oldest goes first when there is more than the queue holds, and
is counted.
"""

import asyncio
from collections import Counter, OrderedDict, deque

from broker.session.errors import SessionError
from broker.session.messages import Received


class Inbox:
    """The queue between a connection and whoever receives from it."""

    def __init__(self, max_queued: int) -> None:
        self.dropped = 0  # QoS 0 messages that found no place
        self._max_queued = max_queued
        self._next = 0
        self._messages: OrderedDict[int, Received] = OrderedDict()
        self._unassured: deque[int] = deque()  # keys of QoS 0 messages, oldest first
        self._arrived = asyncio.Event()
        self._ended: SessionError | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def by_topic(self) -> Counter[str]:
        """How many wait on each topic."""
        return Counter(message.topic for message in self._messages.values())

    def put(self, message: Received) -> None:
        if message.qos == 0:
            if len(self._unassured) >= self._max_queued:
                del self._messages[self._unassured.popleft()]
                self.dropped += 1
            self._unassured.append(self._next)
        self._messages[self._next] = message
        self._next += 1
        self._arrived.set()

    def end(self, error: SessionError) -> None:
        """Nothing more will arrive: who waits, now or later, gets `error` once all is taken."""
        self._ended = error
        self._arrived.set()

    async def take(self, limit: int) -> list[Received]:
        """At least one message, at most `limit`, in the order of arrival."""
        while not self._messages:
            if self._ended is not None:
                raise self._ended
            self._arrived.clear()
            await self._arrived.wait()
        taken: list[Received] = []
        while self._messages and len(taken) < limit:
            _, message = self._messages.popitem(last=False)
            if message.qos == 0:
                self._unassured.popleft()
            taken.append(message)
        return taken

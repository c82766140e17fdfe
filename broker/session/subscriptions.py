"""What was asked to be subscribed or unsubscribed and has no SUBACK or UNSUBACK yet."""

import asyncio
from collections.abc import Sequence

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from broker.session import properties
from broker.session.errors import ConnectionLost, SessionError, SubscribeRefused
from broker.session.messages import Subscription

ANSWER_WITHIN = 10.0  # seconds for a SUBACK or UNSUBACK


class Subscriptions:
    """Asks the broker for filters and waits for its answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: dict[int, asyncio.Future[list[int]]] = {}

    async def add(self, subscriptions: Sequence[Subscription]) -> None:
        """Subscribe; `SubscribeRefused` names the first filter that the broker did not grant."""
        filters = [(one.topic_filter, properties.subscribe_options(one)) for one in subscriptions]
        codes = await self._answer(self._client.subscribe(filters))
        for one, code in zip(subscriptions, codes, strict=False):
            if code >= 0x80:
                raise SubscribeRefused(one.topic_filter, code)

    async def remove(self, topic_filters: Sequence[str]) -> None:
        """Unsubscribe."""
        await self._answer(self._client.unsubscribe(list(topic_filters)))

    def answered(self, mid: int, codes: list[int]) -> None:
        """A SUBACK or UNSUBACK came: a reason for each filter."""
        future = self._asked.get(mid)
        if future is not None and not future.done():
            future.set_result(codes)

    def end(self, error: SessionError) -> None:
        """The connection is gone: no answer will come."""
        for future in self._asked.values():
            if not future.done():
                future.set_exception(error)

    async def _answer(self, sent: tuple[MQTTErrorCode, int | None]) -> list[int]:
        code, mid = sent
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise ConnectionLost("not connected")
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._asked[mid] = future
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await future
        except TimeoutError as error:
            raise ConnectionLost(f"no answer within {ANSWER_WITHIN:g} s") from error
        finally:
            del self._asked[mid]

"""A session: one MQTT 5 connection from CONNECT to its end, with manual PUBACK.

Nothing is acknowledged before whoever received it says so, and nothing that was sent
counts before its PUBACK. All methods belong to the event loop that connected it.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from broker.session import client, properties
from broker.session.errors import (
    ConnectFailed,
    ConnectionLost,
    SessionError,
    SubscribeRefused,
)
from broker.session.inbox import Inbox
from broker.session.messages import Connected, Endpoint, PublishProperties, Received, Subscription, Will
from broker.session.outbound import Outbound
from broker.session.transport import Transport

ANSWER_WITHIN = 10.0  # seconds for a SUBACK or UNSUBACK
LEAST_WAITING = 2_000  # messages that may be here untaken before nothing more is read
MAX_PACKET = 320 * 1024  # bytes that we take: a payload of 256 KiB, its topic and properties

_connections = itertools.count(1)


class Session:
    """One connection's life. A new one is made for every connection.

    Args:
        endpoint: where, and as whom.
        client_id: bound to the username by our brokers.
        will: published by the broker when this connection ends without a clean close.
        keepalive_s: a silent connection is noticed after this long, at most twice.
        session_expiry_s: how long the broker keeps what was not acknowledged.
        receive_maximum: QoS 1 messages that may be here unacknowledged.
        max_queued: messages that may wait to be sent, and QoS 0 messages to be taken.
        clean_start: forget what an earlier connection left.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        client_id: str,
        will: Will | None = None,
        keepalive_s: int = 30,
        session_expiry_s: int = 7 * 86_400,
        receive_maximum: int = 500,
        max_queued: int = 10_000,
        clean_start: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.client_id = client_id
        self._number = next(_connections)
        self._keepalive_s = keepalive_s
        self._clean_start = clean_start
        self._connect_properties = properties.for_connect(
            session_expiry_s=session_expiry_s,
            receive_maximum=receive_maximum,
            maximum_packet_size=MAX_PACKET,
        )
        self._client = client.build(client_id, endpoint, will)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_granted
        self._client.on_unsubscribe = self._on_granted
        self._inbox = Inbox(max_queued)
        self._most_waiting = max(LEAST_WAITING, 2 * receive_maximum)
        self._outbound = Outbound(self._client, max_queued)
        self._transport: Transport | None = None
        self._connected: asyncio.Future[Connected] | None = None
        self._granted: dict[int, asyncio.Future[list[int]]] = {}
        self._ended = asyncio.Event()
        self._error: SessionError | None = None

    @property
    def alive(self) -> bool:
        """Whether the broker let this session in and the connection still stands."""
        return self._error is None and self._connected is not None and self._connected.done()

    @property
    def error(self) -> SessionError | None:
        """Why the session ended; None while it has not."""
        return self._error

    @property
    def dropped(self) -> int:
        """QoS 0 messages that arrived and found no place in the queue."""
        return self._inbox.dropped

    async def connect(self, *, within_s: float = 10.0) -> Connected:
        """Reach the broker and wait until it lets the session in.

        Raises:
            ConnectFailed: not reachable, not let in, or no answer in time.
        """
        if self._transport is not None:
            raise ConnectFailed("a session connects once")
        self._connected = asyncio.get_running_loop().create_future()
        self._transport = Transport(
            self._client,
            keepalive_s=self._keepalive_s,
            gone=self._on_gone,
            full=lambda: len(self._inbox) >= self._most_waiting,
        )
        self._client.connect_timeout = within_s
        try:
            async with asyncio.timeout(within_s):
                await self._transport.open(self._open)
                return await self._connected
        except TimeoutError as error:
            raise self._fail(f"no answer within {within_s:g} s") from error
        except (OSError, ValueError) as error:
            raise self._fail(client.reason_of(error)) from error
        except asyncio.CancelledError:
            self._fail("given up")
            raise
        finally:
            if self._error is not None:
                self._transport.close()

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Subscribe and wait for the SUBACK.

        Raises:
            SubscribeRefused: the broker did not grant one of them.
            ConnectionLost: before the broker answered.
        """
        self._check_alive()
        filters = [(one.topic_filter, properties.subscribe_options(one)) for one in subscriptions]
        codes = await self._answer(self._client.subscribe(filters))
        for one, code in zip(subscriptions, codes, strict=False):
            if code >= 0x80:
                raise SubscribeRefused(one.topic_filter, code)

    async def unsubscribe(self, topic_filters: Sequence[str]) -> None:
        """Unsubscribe and wait for the UNSUBACK; a filter that was not subscribed is no error."""
        self._check_alive()
        await self._answer(self._client.unsubscribe(list(topic_filters)))

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> asyncio.Future[int]:
        """Send a message, at the latest when the broker's Receive Maximum has room.

        The future resolves with the PUBACK's reason (0, or 0x10 for no subscriber), for
        QoS 0 with 0 once written. It fails with `PublishRefused`, `PayloadTooLarge`,
        `Congested` or `ConnectionLost`; after the latter the message may have arrived.
        """
        if self._error is not None or not self.alive:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            future.set_exception(self._error or ConnectionLost("not connected"))
            future.exception()
            return future
        return self._outbound.publish(topic, payload, qos=qos, retain=retain, properties=properties)

    async def receive(self, limit: int) -> list[Received]:
        """Wait for a message, then take what has arrived, at most `limit`.

        Raises:
            ConnectionLost: the connection is gone and everything of it was taken.
        """
        taken = await self._inbox.take(limit)
        if self._transport is not None:
            self._transport.read_on()
        return taken

    @property
    def waiting(self) -> int:
        """How many messages have arrived and wait to be taken."""
        return len(self._inbox)

    def waiting_by_topic(self) -> Counter[str]:
        """The same, by topic."""
        return self._inbox.by_topic()

    def ack(self, message: Received) -> None:
        """Send the PUBACK of a QoS 1 message of this connection.

        Nothing happens once the connection is gone, or for a message of another one:
        it comes again.
        """
        if message.qos == 1 and message.connection == self._number and self.alive:
            self._client.ack(message.mid, 1)

    async def lost(self) -> SessionError:
        """Wait until the connection is gone, for whatever reason, and say which."""
        await self._ended.wait()
        return self._error or ConnectionLost("closed")

    async def close(self, *, keep_will: bool = False, within_s: float = 1.0) -> None:
        """Send what is queued and a DISCONNECT, then let go. Safe to call twice.

        With `keep_will` the broker publishes the will as if the connection had been lost.
        """
        transport = self._transport
        if transport is None:
            return
        if self.alive:
            reason = ReasonCode(PacketTypes.DISCONNECT, identifier=4 if keep_will else 0)
            self._client.disconnect(reasoncode=reason)
            transport.flush()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._ended.wait()
        self._end(ConnectionLost("closed"))
        transport.close()

    def _open(self) -> MQTTErrorCode:
        return self._client.connect(
            self.endpoint.host,
            self.endpoint.port,
            keepalive=self._keepalive_s,
            clean_start=self._clean_start,
            properties=self._connect_properties,
        )

    def _check_alive(self) -> None:
        if not self.alive:
            raise self._error or ConnectionLost("not connected")

    async def _answer(self, sent: tuple[MQTTErrorCode, int | None]) -> list[int]:
        code, mid = sent
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise self._error or ConnectionLost("not connected")
        future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._granted[mid] = future
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await future
        except TimeoutError as error:
            raise ConnectionLost(f"no answer within {ANSWER_WITHIN:g} s") from error
        finally:
            del self._granted[mid]

    def _fail(self, reason: str, code: int | None = None) -> ConnectFailed:
        error = ConnectFailed(reason, code)
        self._end(error)
        return error

    def _end(self, error: SessionError) -> None:
        if self._error is not None:
            return
        self._error = error
        if self._connected is not None and not self._connected.done():
            self._connected.set_exception(error)
            self._connected.exception()
        for future in self._granted.values():
            if not future.done():
                future.set_exception(error)
        self._outbound.end(error)
        self._inbox.end(error)
        self._ended.set()

    def _on_connect(self, _client: Client, _userdata: object, flags: Any, reason: Any, given: Any) -> None:
        self._handled()
        if self._connected is None or self._connected.done():
            return
        if reason.value >= 0x80:
            self._fail(str(reason).lower(), reason.value)
            return
        connected = properties.connected(session_present=flags.session_present, given=given)
        self._outbound.open(connected)
        self._connected.set_result(connected)

    def _on_disconnect(
        self, _client: Client, _userdata: object, flags: Any, reason: Any, _given: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end(ConnectionLost(f"the broker ended it ({str(reason).lower()})", reason.value))

    def _on_gone(self, reason: str) -> None:
        if self._connected is not None and not self._connected.done():
            self._fail(reason)
        else:
            self._end(ConnectionLost(reason))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._handled()
        self._inbox.put(properties.received(message, self._number))

    def _on_publish(self, _client: Client, _userdata: object, mid: int, reason: Any, _given: object) -> None:
        if self._transport is not None and self._transport.writing:
            self._outbound.written()
            return
        self._handled()
        self._outbound.acknowledged(mid, reason.value)

    def _on_granted(
        self, _client: Client, _userdata: object, mid: int, reasons: list[ReasonCode], _given: object
    ) -> None:
        self._handled()
        future = self._granted.get(mid)
        if future is not None and not future.done():
            future.set_result([reason.value for reason in reasons])

    def _handled(self) -> None:
        if self._transport is not None:
            self._transport.handled += 1

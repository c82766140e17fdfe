"""A session: one MQTT 5 connection from CONNECT to its end, with manual PUBACK.

Nothing is acknowledged before whoever received it says so, and nothing that was sent
counts before its PUBACK. All methods belong to the event loop that connected it.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Sequence

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from broker.session import client, properties
from broker.session.arrivals import Arrivals
from broker.session.errors import ConnectFailed, ConnectionLost, SessionError
from broker.session.inbox import Inbox
from broker.session.life import Life
from broker.session.messages import Connected, Endpoint, PublishProperties, Received, Subscription, Will
from broker.session.outbound import Outbound
from broker.session.subscriptions import Subscriptions
from broker.session.transport import Transport

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
        self._inbox = Inbox(max_queued)
        self._outbound = Outbound(self._client, max_queued)
        self._subscriptions = Subscriptions(self._client)
        self._life = Life(self._subscriptions.end, self._outbound.end, self._inbox.end)
        self._transport: Transport | None = None

    @property
    def alive(self) -> bool:
        """Whether the broker let this session in and the connection still stands."""
        return self._life.alive

    @property
    def error(self) -> SessionError | None:
        """Why the session ended; None while it has not."""
        return self._life.error

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
        connected = self._life.begin()
        self._transport = Transport(
            self._client,
            keepalive_s=self._keepalive_s,
            gone=self._life.gone,
            full=lambda: self._inbox.full,
        )
        arrivals = Arrivals(
            self._transport,
            connection=self._number,
            life=self._life,
            inbox=self._inbox,
            outbound=self._outbound,
            subscriptions=self._subscriptions,
        )
        arrivals.listen(self._client)
        self._client.connect_timeout = within_s
        try:
            async with asyncio.timeout(within_s):
                await self._transport.open(self._open)
                return await connected
        except TimeoutError as error:
            raise self._life.fail(f"no answer within {within_s:g} s") from error
        except (OSError, ValueError) as error:
            raise self._life.fail(client.reason_of(error)) from error
        except asyncio.CancelledError:
            self._life.fail("given up")
            raise
        finally:
            if self._life.error is not None:
                self._transport.close()

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Subscribe and wait for the SUBACK.

        Raises:
            SubscribeRefused: the broker did not grant one of them.
            ConnectionLost: before the broker answered.
        """
        self._check_alive()
        await self._subscriptions.add(subscriptions)

    async def unsubscribe(self, topic_filters: Sequence[str]) -> None:
        """Unsubscribe and wait for the UNSUBACK; a filter that was not subscribed is no error."""
        self._check_alive()
        await self._subscriptions.remove(topic_filters)

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
        if not self.alive:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            future.set_exception(self._life.obstacle)
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
        return await self._life.ended()

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
                    await self._life.ended()
        self._life.end(ConnectionLost("closed"))
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
            raise self._life.obstacle

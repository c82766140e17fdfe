"""What was given to be sent and has no PUBACK yet.

Never more in flight than the broker's Receive Maximum, never a packet larger than it
takes: either would cost the connection. What finds no room waits in a bounded queue.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties

from broker.session import properties as paho_properties
from broker.session.errors import Congested, ConnectionLost, PayloadTooLarge, PublishRefused, SessionError
from broker.session.messages import Connected, PublishProperties

FRAME = 16  # bytes around topic, properties and payload, at most
MAX_IDS = 65_535  # MQTT packet ids


@dataclass(slots=True)
class _Waiting:
    topic: str
    payload: bytes
    retain: bool
    properties: PublishProperties | None
    done: asyncio.Future[int]


class Outbound:
    """Sends within the broker's limits and resolves a future per message."""

    def __init__(self, client: Client, max_queued: int) -> None:
        self._client = client
        self._max_queued = max_queued
        self._window = 1
        self._maximum_packet_size: int | None = None
        self._queue: deque[_Waiting] = deque()
        self._unacknowledged: dict[int, tuple[str, asyncio.Future[int]]] = {}
        self._unwritten: deque[asyncio.Future[int]] = deque()  # QoS 0, in the order of writing

    def open(self, connected: Connected) -> None:
        """Learn the broker's limits."""
        self._window = connected.receive_maximum
        self._maximum_packet_size = connected.maximum_packet_size

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        properties: PublishProperties | None,
    ) -> asyncio.Future[int]:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if (refusal := self._refusal(topic, payload, qos, properties)) is not None:
            _fail(done, refusal)
        elif qos == 0:
            self._unwritten.append(done)
            self._client.publish(topic, payload, 0, retain, _packed(properties))
        elif len(self._unacknowledged) < self._window:
            self._send(_Waiting(topic, payload, retain, properties, done))
        else:
            self._queue.append(_Waiting(topic, payload, retain, properties, done))
        return done

    def written(self) -> None:
        """The oldest QoS 0 message has left."""
        if self._unwritten:
            _resolve(self._unwritten.popleft(), 0)

    def acknowledged(self, mid: int, code: int) -> None:
        """A PUBACK came: its place is free for the next in the queue."""
        topic, done = self._unacknowledged.pop(mid, ("", None))
        if done is None:
            return
        if code >= 0x80:
            _fail(done, PublishRefused(topic, code))
        else:
            _resolve(done, code)
        while self._queue and len(self._unacknowledged) < self._window:
            self._send(self._queue.popleft())

    def end(self, error: SessionError) -> None:
        """The connection is gone: everything here fails."""
        for waiting in self._queue:
            _fail(waiting.done, error)
        for _, done in self._unacknowledged.values():
            _fail(done, error)
        for done in self._unwritten:
            _fail(done, error)
        self._queue.clear()
        self._unacknowledged.clear()
        self._unwritten.clear()

    def _refusal(
        self, topic: str, payload: bytes, qos: int, properties: PublishProperties | None
    ) -> SessionError | None:
        waiting = len(self._unwritten) if qos == 0 else len(self._queue)
        if waiting >= self._max_queued:
            return Congested(waiting)
        limit = self._maximum_packet_size
        if limit is not None:
            size = FRAME + len(topic.encode()) + len(payload) + (properties.size() if properties else 0)
            if size > limit:
                return PayloadTooLarge(topic, size, limit)
        return None

    def _send(self, waiting: _Waiting) -> None:
        packed = _packed(waiting.properties)
        for _ in range(MAX_IDS):
            info = self._client.publish(waiting.topic, waiting.payload, 1, waiting.retain, packed)
            if info.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # else paho's next id is still in flight
                break
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            _fail(waiting.done, ConnectionLost("not connected"))
            return
        self._unacknowledged[info.mid] = (waiting.topic, waiting.done)


def _packed(properties: PublishProperties | None) -> Properties | None:
    return None if properties is None else paho_properties.for_publish(properties)


def _resolve(done: asyncio.Future[int], code: int) -> None:
    if not done.done():
        done.set_result(code)


def _fail(done: asyncio.Future[int], error: SessionError) -> None:
    if not done.done():
        done.set_exception(error)
        done.exception()  # whoever does not wait for it has chosen not to know

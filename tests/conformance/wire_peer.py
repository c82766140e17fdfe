"""Somebody else's MQTT client: what another program sees of the wire, and nothing more.

It knows `wire.md` and paho-mqtt; it imports nothing of ours. Whatever it says about the
contract is therefore said twice, once here and once in the product.
"""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

MQTTv5 = MQTTProtocolVersion.MQTTv5
MQTTv311 = MQTTProtocolVersion.MQTTv311
PREFIX = "orion/v1"
PROPERTIES: Any = Properties  # paho gives this class no types
WITHIN = 8.0  # seconds in which an answer comes, on a machine that is busy
MOMENT = 0.02  # seconds between two looks at what only the other side knows

Json = dict[str, Any]


def stamp(seconds: float = 0.0) -> str:
    """Now, or so many seconds from now, as `at` fields are written."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def fresh() -> str:
    return str(uuid.uuid4())


def until(holds: Callable[[], object], *, within: float = WITHIN, what: str = "it") -> None:
    """Wait until something holds; fail when it does not come true in time."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"{what} did not happen within {within} s"
        time.sleep(MOMENT)


def properties(kind: int, **values: Any) -> Properties:
    """MQTT 5 properties by paho's names."""
    made: Properties = PROPERTIES(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


@dataclass(frozen=True)
class Seen:
    """One message as it arrived."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties | None
    at: float

    def json(self) -> Json:
        value = json.loads(self.payload)
        assert isinstance(value, dict)
        return value

    def has(self, fields: Json) -> bool:
        try:
            value = json.loads(self.payload)
        except ValueError:
            return False
        return isinstance(value, dict) and all(value.get(name) == want for name, want in fields.items())


class Refused(Exception):
    """The broker did not let this client in."""


class Peer:
    """A client that remembers all it received."""

    def __init__(
        self,
        port: int,
        username: str | None,
        password: str | None,
        *,
        client_id: str | None = None,
        protocol: MQTTProtocolVersion = MQTTv5,
        will: tuple[str, Json, int] | None = None,
    ) -> None:
        self.port, self.protocol = port, protocol
        self.username, self.password = username, password
        self.seen: list[Seen] = []
        self._changed = threading.Condition()
        self._acked: dict[int, ReasonCode] = {}
        self._subscribed: dict[int, list[ReasonCode]] = {}
        self.connack: tuple[ConnectFlags, ReasonCode, Properties | None] | None = None
        self.gone = False
        more: Json = {} if protocol == MQTTv5 else {"clean_session": False}
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id or username or f"stranger-{fresh()[:8]}",
            protocol=protocol,
            reconnect_on_failure=False,
            **more,
        )
        if username is not None:
            self.client.username_pw_set(username, password)
        if will is not None:
            topic, payload, delay = will
            extra = (
                properties(PacketTypes.WILLMESSAGE, WillDelayInterval=delay) if protocol == MQTTv5 else None
            )
            self.client.will_set(topic, json.dumps(payload), 1, retain=True, properties=extra)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = self._on_message
        self.client.on_publish = self._on_publish
        self.client.on_subscribe = self._on_subscribe

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def again(self) -> "Peer":
        """The same one in another life, which remembers nothing; this one's line is gone."""
        self.close()
        return Peer(self.port, self.username, self.password, protocol=self.protocol)

    def connect(self, *, clean: bool = False, session_s: int = 600) -> None:
        """Connect and wait for the CONNACK; `Refused` when it says no."""
        self.connack, self.gone = None, False
        if self.protocol == MQTTv5:
            extra = properties(PacketTypes.CONNECT, SessionExpiryInterval=session_s)
            self.client.connect("127.0.0.1", self.port, 30, clean_start=clean, properties=extra)
        else:
            self.client.connect("127.0.0.1", self.port, 30)
        self.client.loop_start()
        self._wait(lambda: self._let_in() is not None or self.gone, WITHIN, "a CONNACK")
        code = self._let_in()
        if code is None or code.is_failure:
            self.client.loop_stop()
            raise Refused(str(code))

    def _let_in(self) -> ReasonCode | None:
        return self.connack[1] if self.connack else None

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self) -> None:
        """Lose the line without a word, so that the broker sends the Last Will."""
        line: Any = self.client.socket()
        if line is not None:
            line.shutdown(socket.SHUT_RDWR)
        self._wait(lambda: self.gone, WITHIN, "the line to break")
        self.client.loop_stop()

    def subscribe(self, *filters: str, retain_handling: int = 0) -> list[ReasonCode]:
        """Subscribe, with the retain flag kept as it was published where MQTT 5 can say so."""
        options = SubscribeOptions(1, retainAsPublished=True, retainHandling=retain_handling)
        wanted: Any = [(name, options if self.protocol == MQTTv5 else 1) for name in filters]
        _, mid = self.client.subscribe(wanted)
        assert mid is not None
        self._wait(lambda: mid in self._subscribed, WITHIN, "a SUBACK")
        return self._subscribed[mid]

    def publish(
        self,
        topic: str,
        payload: Json | bytes | str,
        *,
        qos: int = 1,
        retain: bool = False,
        extra: Properties | None = None,
    ) -> ReasonCode | None:
        """Publish and wait for the PUBACK; what it said, `None` when the line broke or for QoS 0."""
        mid = self.send(topic, payload, qos=qos, retain=retain, extra=extra)
        if qos == 0:
            return None
        self._wait(lambda: mid in self._acked or self.gone, WITHIN, f"a PUBACK for {topic}")
        return self._acked.get(mid)

    def send(
        self,
        topic: str,
        payload: Json | bytes | str,
        *,
        qos: int = 1,
        retain: bool = False,
        extra: Properties | None = None,
    ) -> int:
        """Publish without waiting."""
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        return self.client.publish(topic, body, qos, retain, extra).mid

    def forget(self) -> None:
        with self._changed:
            self.seen.clear()

    def mark(self) -> int:
        """Where the memory stands now, for `after`."""
        with self._changed:
            return len(self.seen)

    def all(self, topic: str, *, after: int = 0, **fields: Any) -> list[Seen]:
        """Everything that came on this topic with these fields."""
        with self._changed:
            known = self.seen[after:]
        return [seen for seen in known if seen.topic == topic and (not fields or seen.has(fields))]

    def expect(self, topic: str, *, after: int = 0, within: float = WITHIN, **fields: Any) -> Seen:
        """The first message on this topic with these fields; fails when none comes in time."""
        self._wait(
            lambda: self.all(topic, after=after, **fields), within, f"a message on {topic} with {fields}"
        )
        return self.all(topic, after=after, **fields)[0]

    def expect_cleared(self, topic: str, *, within: float = WITHIN) -> Seen:
        """The empty message that ends what was retained on this topic; fails when none comes in time."""
        self._wait(lambda: any(not seen.payload for seen in self.all(topic)), within, f"the end of {topic}")
        return next(seen for seen in self.all(topic) if not seen.payload)

    def topics(self, *, after: int = 0) -> set[str]:
        with self._changed:
            return {seen.topic for seen in self.seen[after:]}

    def _wait(self, holds: Callable[[], object], within: float, what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, within), f"{what} did not come within {within} s"

    def _on_connect(
        self, _: Client, __: object, flags: ConnectFlags, code: ReasonCode, extra: Properties | None
    ) -> None:
        with self._changed:
            self.connack = (flags, code, extra)
            self._changed.notify_all()

    def _on_disconnect(
        self, _: Client, __: object, ___: DisconnectFlags, ____: ReasonCode, _____: Properties | None
    ) -> None:
        with self._changed:
            self.gone = True
            self._changed.notify_all()

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        seen = Seen(
            message.topic,
            bytes(message.payload),
            message.qos,
            message.retain,
            message.properties,
            time.monotonic(),
        )
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()

    def _on_publish(self, _: Client, __: object, mid: int, code: ReasonCode, ___: Properties | None) -> None:
        with self._changed:
            self._acked[mid] = code
            self._changed.notify_all()

    def _on_subscribe(
        self, _: Client, __: object, mid: int, codes: list[ReasonCode], ___: Properties | None
    ) -> None:
        with self._changed:
            self._subscribed[mid] = codes
            self._changed.notify_all()

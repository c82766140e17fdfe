"""What a session is given and what it hands over, without a word of paho.

All values are frozen; secrets stay out of every `repr`.
"""

import ssl
from dataclasses import dataclass, field, replace
from enum import IntEnum

from broker.session.steady import steady


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the broker is and as whom to connect. A host that is a path is a Unix socket; `port` is then 1."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def is_socket(self) -> bool:
        """Whether it is reached by a file, on this machine only."""
        return self.host.startswith("/")


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when the connection ends without a clean DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    delay_s: int = 5


class RetainHandling(IntEnum):
    """Whether a subscription brings the retained messages that are there already."""

    SEND = 0
    SEND_IF_NEW = 1
    DO_NOT_SEND = 2


@dataclass(frozen=True, slots=True)
class Subscription:
    """One filter and how its messages are delivered."""

    topic_filter: str
    qos: int = 1
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: RetainHandling = RetainHandling.SEND


@dataclass(frozen=True, slots=True)
class PublishProperties:
    """The MQTT 5 properties of one message. They cost CPU: set what `wire.md` asks for."""

    expiry_s: int | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    content_type: str | None = None
    user_properties: tuple[tuple[str, str], ...] = ()

    def with_user(self, more: tuple[tuple[str, str], ...]) -> "PublishProperties":
        """These, and more user properties."""
        return replace(self, user_properties=(*self.user_properties, *more))

    def size(self) -> int:
        """The bytes these properties take in a packet, at most."""
        size = 0 if self.expiry_s is None else 5
        for text in (self.response_topic, self.content_type):
            size += 0 if text is None else 3 + len(text.encode())
        size += 0 if self.correlation is None else 3 + len(self.correlation)
        return size + sum(5 + len(key.encode()) + len(value.encode()) for key, value in self.user_properties)


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it arrived. `expiry_s` is what the broker left of its life at that moment.

    `arrived_at` is that moment on the clock `steady`, however long the message is here already.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    mid: int = field(default=0, repr=False, compare=False)
    connection: int = field(default=0, repr=False, compare=False)  # a PUBACK belongs to one connection
    dup: bool = field(default=False, compare=False)  # it was sent before, and may have been taken in
    beside: int = field(default=0, repr=False, compare=False)  # bytes of its properties
    arrived_at: float = field(default_factory=steady, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Connected:
    """What the broker said when it let the session in. A limit of None is none."""

    session_present: bool
    maximum_packet_size: int | None
    maximum_qos: int
    receive_maximum: int
    retain_available: bool

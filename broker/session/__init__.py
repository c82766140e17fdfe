"""One MQTT 5 session on asyncio, shared by controller and node.

A `Session` is one connection's life: what was not acknowledged on it comes again on
the next, and nothing of it is carried over. Whoever promises more (the outbox, the
spool) keeps the promise in its own store. paho-mqtt is known to this package only.
"""

from broker.session.connection import Session
from broker.session.errors import (
    Congested,
    ConnectFailed,
    ConnectionLost,
    PayloadTooLarge,
    PublishRefused,
    SessionError,
    SubscribeRefused,
)
from broker.session.messages import (
    Connected,
    Endpoint,
    PublishProperties,
    Received,
    RetainHandling,
    Subscription,
    Will,
)
from broker.session.reconnect import Backoff, keep_connected

__all__ = [
    "Backoff",
    "Congested",
    "ConnectFailed",
    "Connected",
    "ConnectionLost",
    "Endpoint",
    "PayloadTooLarge",
    "PublishProperties",
    "PublishRefused",
    "Received",
    "RetainHandling",
    "Session",
    "SessionError",
    "SubscribeRefused",
    "Subscription",
    "Will",
    "keep_connected",
]

"""Keys and joining: how controllers announce what they sign with, and how a device gets in.

Signatures travel in MQTT 5 user properties, over the bytes `topic + LF + payload`.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.errors import ErrorBody
from schemas.ids import DeviceId, MessageId
from schemas.wire import Instant, WireModel

SIGNATURE_PROPERTY = "signature"
KEY_ID_PROPERTY = "key_id"

Base64Url = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]


def signed_bytes(topic: str, payload: bytes) -> bytes:
    """What a signature covers: a payload cannot be moved to another topic."""
    return topic.encode() + b"\n" + payload


class Key(WireModel):
    """One Ed25519 public key and when it counts."""

    key_id: MessageId
    public: Base64Url
    not_before: Instant
    not_after: Instant


class Keys(WireModel):
    """The controller's keys, retained; signed by one that devices already hold."""

    keys: list[Key]
    at: Instant


class JoinRequest(WireModel):
    """What a device sends with the one-time identity of its join code."""

    public_key: Base64Url
    hostname: Annotated[str, StringConstraints(max_length=255)]


class JoinResponse(WireModel):
    """The device's own identity; sent once, to the holder of the code."""

    device_id: DeviceId
    password: str = Field(repr=False)
    ca: str  # PEM; empty where the system's authorities vouch for the broker
    keys: list[Key]
    at: Instant | None = None  # when it was written: the first moment that the device knows to have passed


class JoinRefused(WireModel):
    """There is no place for whoever asked, and why."""

    error: ErrorBody

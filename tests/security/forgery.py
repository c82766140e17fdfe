"""What somebody who owns the broker can make of messages, and what only the controller can.

`genuine` signs with the controller's own key, as a message that a hostile broker held back:
nobody but the attacker has seen it, and no controller waits for its answer.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paho.mqtt.packettypes import PacketTypes

from schemas.signing import Signer
from tests.conformance.wire_peer import Json, Peer, Seen, properties

Signatures = tuple[tuple[str, str], ...]
VALID = 60  # seconds


@dataclass(frozen=True)
class Message:
    """One message as it is put on the wire."""

    topic: str
    payload: bytes
    user: Signatures
    expiry_s: int | None = VALID
    retain: bool = False
    extra: tuple[tuple[str, Any], ...] = ()

    def but(self, **changes: Any) -> "Message":
        return replace(self, **changes)

    def with_fields(self, **changes: Any) -> "Message":
        """Its payload edited, its signature as it was."""
        return replace(self, payload=json.dumps(json.loads(self.payload) | changes).encode())

    def json(self) -> Json:
        value = json.loads(self.payload)
        assert isinstance(value, dict)
        return value

    def send(self, peer: Peer) -> None:
        values: Json = dict(self.extra)
        if self.user:
            values["UserProperty"] = list(self.user)
        if self.expiry_s is not None:
            values["MessageExpiryInterval"] = self.expiry_s
        made = properties(PacketTypes.PUBLISH, **values)
        peer.publish(self.topic, self.payload, retain=self.retain, extra=made)


def copied(seen: Seen) -> Message:
    """A message of the past, to be sent again."""
    extra: Any = seen.properties
    return Message(seen.topic, seen.payload, tuple(getattr(extra, "UserProperty", ())))


def signed(signer: Signer, topic: str, message: Json) -> Message:
    """A message with somebody's valid signature."""
    payload = json.dumps(message).encode()
    return Message(topic, payload, signer.sign(topic, payload))


def controllers_key(data_dir: Path) -> Signer:
    """The newest key of the controller, as its file has it."""
    entries: Sequence[Json] = json.loads((data_dir / "controller" / "keys.json").read_text())
    return Signer.restore(str(max(entries, key=lambda entry: str(entry["not_before"]))["secret"]))

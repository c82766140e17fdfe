"""A third party's device that was enrolled: it signs, by hand, what it says."""

import json
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from schemas.signing import Signer
from tests.conformance.fake_device import FakeDevice
from tests.conformance.wire_peer import Json, Peer, properties

SIGNED = ("profile", "event", "reply")


class SigningPeer(Peer):
    """A client that signs those messages of a device that must be."""

    signer: Signer

    def send(
        self,
        topic: str,
        payload: Json | bytes | str,
        *,
        qos: int = 1,
        retain: bool = False,
        extra: Properties | None = None,
    ) -> int:
        kind = topic.split("/")[4]
        if kind in SIGNED and isinstance(payload, dict):
            payload = json.dumps(payload).encode()
            user = list(self.signer.sign(topic, payload))
            extra = properties(PacketTypes.PUBLISH, UserProperty=user)
        return super().send(topic, payload, qos=qos, retain=retain, extra=extra)


class SigningDevice(FakeDevice):
    """A device that a person builds, with a key of its own."""

    def __init__(self, port: int, device_id: str, password: str, signer: Signer, **how: Any) -> None:
        super().__init__(port, device_id, password, **how)
        self.signer = signer
        self.peer = SigningPeer(port, device_id, password)
        self.peer.signer = signer

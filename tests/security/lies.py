"""What a device's owner says in the name of others."""

from tests.conformance.wire_peer import Json, fresh, stamp
from tests.security.rows import Attacker
from tests.security.stand import Stand

DEVICE = Attacker.DEVICE


def lie(**fields: object) -> tuple[str, Json]:
    """A message that is known again by its word."""
    word = fresh()
    return word, {"id": word, "at": stamp(), "boot_id": word, **fields}


def said(stand: Stand, topic: str, message: Json) -> str:
    """The attacker publishes in every manner; what the broker answered."""
    peer = stand.thief.peer
    peer.publish(topic, message, qos=0)
    peer.publish(topic, message, qos=2)
    peer.publish(topic, message, retain=True)
    answer = peer.publish(topic, message)
    stand.thief.fence()
    return f"PUBACK “{answer}”"

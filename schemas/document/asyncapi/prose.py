"""The sentences of the AsyncAPI document, for people who do not have `docs/wire.md` at hand."""

from schemas.document.stream import table_of_names
from schemas.wire import MAX_PAYLOAD

TITLE = "Orion over MQTT"
VERSION = "1.0.0"  # of the wire contract

DEVICE_ID = "The device's id. It is its MQTT username and its client id, too."
PARAMETERS = {
    "device_id": (DEVICE_ID, "workshop-pc"),
    "username": ("The name of a user at the broker, and the client id.", "ada"),
    "instance": ("The name of a controller, stable across restarts.", "main"),
    "approval_id": ("The approval's id.", "0199f6a2-7c00-7000-8000-000000000003"),
    "invite_id": ("The first part of a join code: who asks connects as `join-{invite_id}`.", "abcdefgh"),
}

SIGNATURE = "Ed25519 over the topic, a line feed and the payload, base64url without padding."
KEY_ID = "Which key signed: the first 128 bits of its SHA-256, base64url without padding."
TRACEPARENT = "W3C Trace Context: the trace that this command belongs to."
PROOF = "HMAC-SHA256 with the key of the join code over the topic, a line feed and the payload, base64url without padding."

SEALS = {
    "signature": "Signed by the controller. A device that was enrolled acts on nothing that is not.",
    "device": "A device that was enrolled signs it; one that was added by hand does not.",
    "proof": "Shown to be written by somebody who has the join code.",
}

CONNECTING = """A device sets its Last Will (Presence `offline`, reason `connection_lost`, retained, Will Delay 5 s), connects
with MQTT 5, Clean Start off and a Session Expiry above zero, subscribes `command`, `cancel` and `ack`, publishes its
Profile and then its Presence `online`, both retained, and what was never acknowledged. Client id and username are the same."""


def description(prefix: str) -> str:
    """What this is, the rules of every message, and the names of the live stream."""
    return f"""Anything that speaks MQTT and JSON can be a device. Operations are told from the controller's side: it *sends* what
devices and people receive, and *receives* what they send. The prefix of all topics here is `{prefix}`.

- A payload is one JSON object in UTF-8, no larger than {MAX_PAYLOAD // 1024} KiB. `NaN` and infinities are not JSON.
- A receiver ignores fields it does not know. A required field that is missing, or one of another type, makes the
  whole message invalid: it is counted, logged and dropped.
- A time is RFC 3339 with a zone, written in UTC with milliseconds. A field that is not required is left out where there
  is nothing to say.
- The headers of a message are MQTT 5 user properties. A device that speaks MQTT 3.1.1 works as well: what it needs is in
  the payload, the signature alone excepted.

{CONNECTING}

Names of the live stream (`/api/v1/stream`) and what they are on MQTT:

{table_of_names()}"""

"""The sentences of the page: what no type can say.

A limit that the code holds is taken from the code, so that it cannot be said wrongly.
"""

from dataclasses import dataclass

from schemas.assistant import MAX_TEXT, REQUEST_VALID
from schemas.devices import MAX_PATTERN, MAX_SCHEMA_DEPTH, MAX_TOOL_BYTES, MAX_TOOLS
from schemas.joining import CHECK_BYTES, INVITE_BYTES, PROOF_PROPERTY, SECRET_BYTES
from schemas.wire import MAX_PAYLOAD

INTRODUCTION = f"""# The wire contract, version 1

Anything that speaks MQTT and JSON can be a device. This page says what travels: it is written from the models
in `schemas/` by `python -m schemas.document`, and a test compares the two.

- A payload is one JSON object in UTF-8, no larger than {MAX_PAYLOAD // 1024} KiB. `NaN` and infinities are not JSON.
- A receiver ignores fields it does not know. A required field that is missing, or any field of another type than
  below, makes the whole message invalid: it is counted, logged once per device and minute, and dropped.
- A *time* is RFC 3339 with a zone, written in UTC with milliseconds: `2026-02-12T10:30:05.120Z`.
- Ids of messages are texts of 1 to 64 characters; ours are UUIDv7. Where an integer is asked for, `1.0` is one.
- A field that is not required is left out where there is nothing to say."""

TOPICS_BEFORE = """## Topics

The prefix `orion/v1` is a setting of the installation. `{device_id}` is also the device's MQTT username and client
id; the broker lets a device write and read its own topics only."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What the broker lets a role publish and read; `hidden` it never reads, whatever else is said."""

    role: str
    publishes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


RIGHTS_BEFORE = """## Who may what

The broker lets each name publish and read what is listed here for its role, and nothing else. Nobody reads the answers to
those who join but the controller and the one who asked. On a device's topics nobody publishes but the device and the controller."""

_REQUESTS = ("{prefix}/users/{username}/request", "{prefix}/users/{username}/decision")
_WATCHED = ("{prefix}/devices/+/presence", "{prefix}/devices/+/heartbeat")
_RESPONSES = "{prefix}/users/{username}/response"
_JOINED = ("{prefix}/join/+/response",)

RIGHTS = (
    Granted(
        "device",
        (
            *(
                f"{{prefix}}/devices/{{device_id}}/{each}"
                for each in ("presence", "profile", "heartbeat", "event")
            ),
            "{prefix}/devices/{device_id}/reply/+",
        ),
        (
            *(f"{{prefix}}/devices/{{device_id}}/{each}" for each in ("command", "cancel", "ack")),
            "{prefix}/controllers/#",
        ),
    ),
    Granted("joining", ("{prefix}/join/{invite_id}/request",), ("{prefix}/join/{invite_id}/response",)),
    Granted("guest", _REQUESTS, (_RESPONSES,), _JOINED),
    Granted("viewer", _REQUESTS, (_RESPONSES, *_WATCHED), _JOINED),
    Granted("operator", _REQUESTS, (_RESPONSES, *_WATCHED, "{prefix}/approvals/+"), _JOINED),
    Granted("admin", _REQUESTS, ("{prefix}/#",), _JOINED),
    Granted("home_assistant", ("{prefix}/homeassistant/#",), (*_WATCHED, "{prefix}/homeassistant/#")),
    Granted("debug", (), ("{prefix}/#",), _JOINED),
    Granted("controller", ("{prefix}/#",), ("{prefix}/#", "$SYS/#", "$share/+/{prefix}/#")),
)

CONNECTING = """## How a device connects

1. Set the Last Will (`offline`, reason `connection_lost`, retained, Will Delay 5 s) and connect: MQTT 5, Clean Start
   off, a Session Expiry above zero.
2. Subscribe to `command`, `cancel` and `ack` with Retain Handling 2 and Retain As Published, and wait for the SUBACK. A
   command that carries the retain flag is refused: it would run again after every start.
3. Publish the Profile, then the Presence `online`, both retained and with the same `boot_id`, a new one at each start of
   the program. Before both are there nothing is sent to the device.
4. Publish again what was never acknowledged, in order. Then heartbeats, every 30 s unless configured otherwise.

A clean stop publishes `offline` with its reason (`stopped`, `sleeping`, `update`). An `offline` counts only for the life
that its `boot_id` names. An MQTT 3.1.1 device works as well: what it needs of the properties is in the payload too."""

MESSAGES_BEFORE = "## Messages"

STREAM_BEFORE = """## Names of the live stream

Who watches by HTTP (`/api/v1/stream`) knows what happens by these names. On MQTT nothing is called so: each of them is told
when one of the messages beside it travels."""

RULES = f"""## Commands, from order to acknowledgement

- A Command carries these MQTT 5 properties: Response Topic (`reply_to`), Correlation Data (`id`), Message Expiry (what is
  left until `expires_at`), Content Type `application/json` and the user property `traceparent`. `reply_to` must be a
  reply topic of the device itself.
- The same `id` may come more than once; it is executed at most once, and each arrival is answered with the state reached.
  An unanswered command is published again, after 5 s and then with growing pauses, with a higher `attempt`.
- Of two deadlines, Message Expiry counted from the arrival and `expires_at`, the earlier one holds.
- `accepted` and `progress` may be lost or overtake each other. Exactly one final status holds: `succeeded`, `failed`,
  `rejected`, `expired`, `cancelled` or `interrupted` (the device died meanwhile; what happened is not known, and it is
  not tried again). Later, different final words change nothing.
- Replies with the code `bad_signature` or `replayed` speak of one arrival only and never end a command.
- A Cancel that comes before the start keeps the command from ever running, also if it overtakes the command. One that
  comes during the run ends it; one that comes afterwards is answered with the final Reply.
- A device keeps each Event and each final Reply until an Ack names it, in `events`, in `replies` or in `refused`. The
  controller acknowledges what it has stored for good, what it had stored already, and what it will never take.

## Tools

A Profile lists at most {MAX_TOOLS} tools of at most {MAX_TOOL_BYTES // 1024} KiB each. `parameters` is a JSON Schema
(2020-12) of type `object`, at most {MAX_SCHEMA_DEPTH} objects deep, without references to other documents, without
integers beyond 2^53-1, with patterns of at most {MAX_PATTERN} characters that need no backtracking. In it:

- `"format": "path"` marks a path and `"format": "app"` an application: the controller checks them against what owner and
  device allow, and sends paths absolute. `"writeOnly": true` marks a secret: it is sent, and shown nowhere.
- A mark stands under `properties` and `items` only. Where a mark could not be seen (below `anyOf`, `$defs` and the like,
  or beside a `$ref`), the tool cannot be called.

The annotations have the names, meanings and defaults of the Model Context Protocol. A tool is used once an admin has
adopted it, and needs another look when it changes. Without `os`, paths follow POSIX rules. `allowed_paths` and
`allowed_apps` only ever narrow what the controller allows.

## People

A Request has at most {MAX_TEXT} characters and is answered within {REQUEST_VALID:.0f} s unless it names its own
`expires_at`. `seq` of its Responses counts from 0 without holes; one of `final`, `error` and `decision_result` ends them.
The `hash` of an Approval is the SHA-256, in hexadecimal, of the RFC 8785 form of `commands`; a Decision repeats it.

## Signatures

Signed are the bytes of the topic, a line feed, and the payload, with Ed25519; the user properties `signature` (base64url
without padding) and `key_id` carry it; a `key_id` is the first 128 bits of the public key's SHA-256, in base64url. A
device that was enrolled acts on nothing unsigned and signs its Profile, Events and Replies; one that was added by hand is
marked unsigned.

Keys is signed by a key that devices hold already. A device subscribes it before its own topics, so that it knows the next
key before a command that is signed with it. A key is over once a time that the controller signed is past its `not_after`.

## Joining

A join code is base32 (RFC 4648, without padding; dashes and case do not matter) of: the byte 1, an invite id of {INVITE_BYTES} bytes, a
secret of {SECRET_BYTES} bytes, the SHA-256 of the broker's CA (DER; all zeros where the system's authorities vouch for it), and the first
{CHECK_BYTES} bytes of the SHA-256 of all that. Everywhere else, in topics, in the user name and in what is derived, `{{invite_id}}` is a
text: the base32 of those {INVITE_BYTES} bytes in small letters.

The device connects by TLS, trusting that CA and nothing else, with `join-{{invite_id}}` as user name and client id. Its password is
the base64url, without padding, of the 32 bytes that HKDF-SHA256 (RFC 5869) makes of: the {SECRET_BYTES} bytes of the secret as key
material; the ASCII text of `{{invite_id}}` as salt; `orion join password` as info. The key of the proof is 32 bytes, made in the
same way with `orion join proof` as info.

Request and response carry the user property `{PROOF_PROPERTY}`: the base64url, without padding, of the HMAC-SHA256 with that key (the
bytes, not a text of them) over the same bytes as a signature: those of the topic, a line feed, and the payload as it is sent.
What is not proven is not answered, and not believed.

### A test vector

"""

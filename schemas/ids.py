"""Names that travel: what characters a topic, an id and a tool name may hold."""

import re
import secrets
import threading
import time
import uuid
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

DEVICE_ID = r"^[a-z0-9][a-z0-9_-]{0,62}$"
USERNAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"


def _seen(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a character that nobody would see, as a line break is")
    return text


DeviceId = Annotated[str, StringConstraints(pattern=DEVICE_ID)]
Instance = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
InviteId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{4,32}$")]
MessageId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Username = Annotated[str, StringConstraints(pattern=USERNAME)]
Label = Annotated[  # what people call something: one line, and nothing in it that is not seen
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_seen),
]
RESERVED = re.compile(r"(controller|join)-")  # how names begin that no device and no user may have


_RANDOM_BITS = 74  # of a UUIDv7, beside its 48 bits of time
_LOW = (1 << 62) - 1
_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562): ids of one program sort in the order they were made in.

    Steps of a plan are made within one millisecond, and a clock may be set back.
    """
    global _last
    fresh = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = fresh = max(fresh, _last + 1)
    bits = (fresh >> 62 << 64) | (0x2 << 62) | (fresh & _LOW)
    milliseconds, rest = bits >> 76, bits & ((1 << 76) - 1)
    return str(uuid.UUID(int=(milliseconds << 80) | (0x7 << 76) | rest))

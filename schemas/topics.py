"""Every topic, built and parsed; the only place where one is spelled."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

DEFAULT_PREFIX = "orion/v1"


class Kind(StrEnum):
    """What a topic carries; the value is the last word of the topic."""

    PRESENCE = "presence"
    PROFILE = "profile"
    HEARTBEAT = "heartbeat"
    EVENT = "event"
    COMMAND = "command"
    CANCEL = "cancel"
    REPLY = "reply"
    ACK = "ack"
    REQUEST = "request"
    DECISION = "decision"
    RESPONSE = "response"
    APPROVAL = "approval"
    CONTROLLER_PRESENCE = "controller_presence"
    KEYS = "keys"
    AUDIT = "audit"
    JOIN_REQUEST = "join_request"
    JOIN_RESPONSE = "join_response"


def with_article(word: str) -> str:
    """A kind of message, or another plain word, within a sentence."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed topic. `owner` is the device, user, approval, controller or invitation it belongs to."""

    kind: Kind
    owner: str = ""
    instance: str = ""  # of a reply: the controller that asked


_DEVICE = re.compile(
    r"devices/(?P<owner>[a-z0-9][a-z0-9_-]{0,62})/"
    r"(?P<kind>presence|profile|heartbeat|event|command|cancel|ack|reply/(?P<instance>[A-Za-z0-9_-]{1,64}))"
)
_USER = re.compile(r"users/(?P<owner>[A-Za-z0-9][A-Za-z0-9_.-]{0,62})/(?P<kind>request|decision|response)")
_APPROVAL = re.compile(r"approvals/(?P<owner>[^/+#]{1,64})")
_JOIN = re.compile(r"join/(?P<owner>[a-z0-9]{4,32})/(?P<kind>request|response)")
_CONTROLLER = re.compile(r"controllers/(?P<owner>[A-Za-z0-9_-]{1,64})/presence")


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one installation, under its prefix."""

    prefix: str = DEFAULT_PREFIX

    def device(self, device_id: str, kind: Kind) -> str:
        return f"{self.prefix}/devices/{device_id}/{kind.value}"

    def reply(self, device_id: str, instance: str) -> str:
        return f"{self.prefix}/devices/{device_id}/reply/{instance}"

    def every_device(self, kind: Kind) -> str:
        """The filter that matches this kind of every device (replies of every instance)."""
        tail = "reply/+" if kind is Kind.REPLY else kind.value
        return f"{self.prefix}/devices/+/{tail}"

    def user(self, username: str, kind: Kind) -> str:
        return f"{self.prefix}/users/{username}/{kind.value}"

    def every_user(self, kind: Kind) -> str:
        """The filter that matches this kind of every user."""
        return f"{self.prefix}/users/+/{kind.value}"

    def approval(self, approval_id: str) -> str:
        return f"{self.prefix}/approvals/{approval_id}"

    def controller_presence(self, instance: str) -> str:
        return f"{self.prefix}/controllers/{instance}/presence"

    def every_controller(self) -> str:
        return f"{self.prefix}/controllers/#"

    def keys(self) -> str:
        return f"{self.prefix}/controllers/keys"

    def join_request(self, invite_id: str) -> str:
        return f"{self.prefix}/join/{invite_id}/request"

    def join_response(self, invite_id: str) -> str:
        return f"{self.prefix}/join/{invite_id}/response"

    def every_join_request(self) -> str:
        """The filter that matches the requests of all who want a place."""
        return f"{self.prefix}/join/+/request"

    def home_assistant(self) -> str:
        """The filter of Home Assistant's own root."""
        return f"{self.prefix}/homeassistant/#"

    def audit(self) -> str:
        return f"{self.prefix}/audit"

    def everything(self) -> str:
        return f"{self.prefix}/#"

    def parse(self, topic: str) -> Address | None:
        """The address of a topic, or None when it is none of ours."""
        return _parse(self.prefix, topic)

    def reply_instance(self, reply_to: str, device_id: str) -> str | None:
        """The instance named by a command's `reply_to`, None unless it is this device's own."""
        address = self.parse(reply_to)
        if address is None or address.kind is not Kind.REPLY or address.owner != device_id:
            return None
        return address.instance


@lru_cache(maxsize=65_536)
def _parse(prefix: str, topic: str) -> Address | None:
    if not topic.startswith(prefix + "/"):
        return None
    rest = topic[len(prefix) + 1 :]
    if rest == "controllers/keys":
        return Address(Kind.KEYS)
    if rest == "audit":
        return Address(Kind.AUDIT)
    if match := _DEVICE.fullmatch(rest):
        instance = match["instance"] or ""
        kind = Kind.REPLY if instance else Kind(match["kind"])
        return Address(kind, match["owner"], instance)
    if match := _USER.fullmatch(rest):
        return Address(Kind(match["kind"]), match["owner"])
    if match := _JOIN.fullmatch(rest):
        return Address(Kind(f"join_{match['kind']}"), match["owner"])
    if match := _CONTROLLER.fullmatch(rest):
        return Address(Kind.CONTROLLER_PRESENCE, match["owner"])
    if match := _APPROVAL.fullmatch(rest):
        return Address(Kind.APPROVAL, match["owner"])
    return None

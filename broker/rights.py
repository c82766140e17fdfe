"""Who may publish and read what, as Mosquitto's ACL file; all that it does not list is denied.

The rules for devices are patterns, so a new device needs no new rule. Mosquitto applies
patterns to every name: whoever is no device must not have a name that could be one's.
"""

from collections.abc import Mapping
from enum import StrEnum

from schemas.topics import Kind, Topics

PROBE_ROOT = "orion-probe"  # outside every installation's prefix

_PUBLISHED = (Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT, Kind.EVENT)
_RECEIVED = (Kind.COMMAND, Kind.CANCEL, Kind.ACK)


class Role(StrEnum):
    """What an identity is for; its rights follow from it."""

    CONTROLLER = "controller"
    DEVICE = "device"
    DEBUG = "debug"
    PROBE = "probe"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    HOME_ASSISTANT = "home_assistant"


def render(roles: Mapping[str, Role], topics: Topics) -> str:
    """The ACL file for these identities."""
    sections = [
        f"user {username}\n" + "".join(f"topic {rule}\n" for rule in _of(role, username, topics))
        for username, role in roles.items()
        if role is not Role.DEVICE
    ]
    # `%u` takes the place of a device id, which no builder of topics would accept
    patterns = [
        *(f"pattern write {topics.prefix}/devices/%u/{kind.value}" for kind in _PUBLISHED),
        f"pattern write {topics.prefix}/devices/%u/reply/+",
        *(f"pattern read {topics.prefix}/devices/%u/{kind.value}" for kind in _RECEIVED),
        f"pattern read {topics.every_controller()}",
    ]
    return "\n".join([*sections, "# every device", *patterns]) + "\n"


def _of(role: Role, username: str, topics: Topics) -> list[str]:
    seen = [f"read {topics.every_device(kind)}" for kind in (Kind.PRESENCE, Kind.HEARTBEAT)]
    speaks = [
        *(f"write {topics.user(username, kind)}" for kind in (Kind.REQUEST, Kind.DECISION)),
        f"read {topics.user(username, Kind.RESPONSE)}",
    ]
    match role:
        case Role.CONTROLLER:
            everything = topics.everything()
            return [f"readwrite {everything}", f"read $share/+/{everything}", "read $SYS/#"]
        case Role.DEBUG:
            return [f"read {topics.everything()}"]
        case Role.PROBE:
            return [f"readwrite {PROBE_ROOT}/#"]
        case Role.VIEWER | Role.OPERATOR:
            return [*speaks, *seen]
        case Role.ADMIN:
            return [*speaks, f"read {topics.everything()}"]
        case Role.HOME_ASSISTANT:
            return [*seen, f"readwrite {topics.prefix}/homeassistant/#"]
        case Role.DEVICE:
            return []

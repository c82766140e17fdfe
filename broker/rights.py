"""Who may publish and read what, by role, and as Mosquitto's ACL file; what is not listed is denied.

In the file the rules for devices are patterns, so a new device needs no new rule. Mosquitto
applies patterns to every name: whoever is no device is denied there what they would give.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.topics import Kind, Topics

PROBE_ROOT = "orion-probe"  # outside every installation's prefix
JOINING_PREFIX = "join-"  # of the name under which somebody asks for a place

_PUBLISHED = (Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT, Kind.EVENT)
_RECEIVED = (Kind.COMMAND, Kind.CANCEL, Kind.ACK)
_WATCHED = (Kind.PRESENCE, Kind.HEARTBEAT)


class Role(StrEnum):
    """What an identity is for; its rights follow from it."""

    CONTROLLER = "controller"
    DEVICE = "device"
    JOINING = "joining"
    GUEST = "guest"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    HOME_ASSISTANT = "home_assistant"
    DEBUG = "debug"
    PROBE = "probe"
    KEEPER = "keeper"  # holds somebody's session for a moment


ANYBODY = frozenset(Role)
DEVICES = frozenset({Role.DEVICE})
USERS = frozenset({Role.GUEST, Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.HOME_ASSISTANT, Role.DEBUG})


@dataclass(frozen=True, slots=True)
class Rights:
    """Filters of what somebody may publish and read; `shared` are those read as `$share/…`.

    What matches `hidden` is not read, whatever `read` says.
    """

    publish: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


def of(role: Role, username: str, topics: Topics) -> Rights:
    """The rights of one name."""
    match role:
        case Role.CONTROLLER:
            everything = topics.everything()
            return Rights((everything,), (everything, "$SYS/#"), (f"$share/+/{everything}",))
        case Role.DEVICE:
            return Rights(
                (*(topics.device(username, kind) for kind in _PUBLISHED), topics.reply(username, "+")),
                (*(topics.device(username, kind) for kind in _RECEIVED), topics.every_controller()),
            )
        case Role.JOINING:
            invite_id = username.removeprefix(JOINING_PREFIX)
            return Rights((topics.join_request(invite_id),), (topics.join_response(invite_id),))
        case Role.GUEST | Role.VIEWER | Role.OPERATOR | Role.ADMIN:
            own = tuple(topics.user(username, kind) for kind in (Kind.REQUEST, Kind.DECISION))
            return Rights(own, _read_by_user(role, username, topics), hidden=_hidden(topics))
        case Role.HOME_ASSISTANT:
            root = topics.home_assistant()
            return Rights((root,), (*_watched(topics), root))
        case Role.DEBUG | Role.KEEPER:
            return Rights(read=(topics.everything(),), hidden=_hidden(topics))
        case Role.PROBE:
            return Rights((f"{PROBE_ROOT}/#",), (f"{PROBE_ROOT}/#",))


def render(roles: Mapping[str, Role], topics: Topics, *, shut_out: Iterable[str] = ()) -> str:
    """The ACL file for these identities; `shut_out` are names that may do nothing."""
    sections = [
        f"user {username}\n" + "".join(f"topic {rule}\n" for rule in _lines(role, username, topics))
        for username, role in roles.items()
        if role is not Role.DEVICE
    ]
    sections += [f"user {username}\ntopic deny #\n" for username in shut_out]
    # `%u` takes the place of a device id, which no builder of topics would accept
    device = of(Role.DEVICE, "%u", topics)
    patterns = [
        *(f"pattern write {each}" for each in device.publish),
        *(f"pattern read {each}" for each in device.read),
    ]
    return "\n".join([*sections, "# every device", *patterns]) + "\n"


def _lines(role: Role, username: str, topics: Topics) -> list[str]:
    rights = of(role, username, topics)
    both = [each for each in rights.publish if each in rights.read]
    lines = [f"readwrite {each}" for each in both]
    lines += [f"write {each}" for each in rights.publish if each not in both]
    lines += [f"read {each}" for each in (*rights.read, *rights.shared) if each not in both]
    lines += [f"deny {each}" for each in rights.hidden]
    if role is not Role.CONTROLLER:
        # Mosquitto looks at denials first, and at a user's own lines before the patterns
        lines.append(f"deny {topics.prefix}/devices/{username}/#")
    if topics.everything() not in rights.read:
        lines.append(f"deny {topics.every_controller()}")
    return lines


def _read_by_user(role: Role, username: str, topics: Topics) -> tuple[str, ...]:
    if role is Role.ADMIN:
        return (topics.everything(),)
    if role is Role.GUEST:  # what was granted to them they see at the controller's other doors
        return (topics.user(username, Kind.RESPONSE),)
    cards = (topics.approval("+"),) if role is Role.OPERATOR else ()
    return (topics.user(username, Kind.RESPONSE), *_watched(topics), *cards)


def _hidden(topics: Topics) -> tuple[str, ...]:
    """The answers to those who join hold passwords: nobody else reads them, whoever may read everything."""
    return (topics.join_response("+"),)


def _watched(topics: Topics) -> tuple[str, ...]:
    return tuple(topics.every_device(kind) for kind in _WATCHED)

"""Who may be called what: devices, users, controllers and invitations share one name space."""

from pydantic import TypeAdapter, ValidationError

from broker.identities.errors import BadName
from broker.rights import JOINING_PREFIX, USERS, Role
from schemas.ids import RESERVED, DeviceId, Instance, InviteId, Username

_DEVICE_ID = TypeAdapter[str](DeviceId)
_USERNAME = TypeAdapter[str](Username)
_INSTANCE = TypeAdapter[str](Instance)
_INVITE_ID = TypeAdapter[str](InviteId)


def of_device(device_id: str) -> str:
    """A device's name.

    Raises:
        BadName: not a device id, or one that controllers and invitations use.
    """
    _check(_DEVICE_ID, device_id, "a device id")
    if RESERVED.match(device_id):
        raise BadName(f"Device ids cannot begin with {device_id.partition('-')[0]}-.")
    return device_id


def could_be_device(username: str) -> bool:
    """Whether a device could have this name."""
    try:
        of_device(username)
    except BadName:
        return False
    return True


def of_user(username: str, role: Role) -> str:
    """The name of a person or program with a role.

    Raises:
        BadName: not a user name, one that controllers and invitations use, or no role of a user.
    """
    if role not in USERS:
        raise BadName(f"A user cannot have the role {role.value!r}.")
    _check(_USERNAME, username, "a user name")
    if RESERVED.match(username):
        raise BadName(f"User names cannot begin with {username.partition('-')[0]}-.")
    return username


def of_controller(instance: str) -> str:
    """A controller's name.

    Raises:
        BadName: not a controller's instance.
    """
    return f"controller-{_check(_INSTANCE, instance, 'a controller instance')}"


def of_joining(invite_id: str) -> str:
    """The name under which somebody asks for a place.

    Raises:
        BadName: not the id of an invitation.
    """
    return JOINING_PREFIX + _check(_INVITE_ID, invite_id, "the id of an invitation")


def _check(names: TypeAdapter[str], name: str, what: str) -> str:
    try:
        return names.validate_python(name)
    except ValidationError as error:
        raise BadName(f"{name!r} is not {what}.") from error

"""What was named and is not there, or is not for the caller to see."""

from collections.abc import Sequence

from controller.errors.kinds import NotFound
from schemas.errors import ErrorCode

_PLACES = {  # of a memory, by its scope, with the option that names it
    "global": "for everybody (--global)",
    "user": "for the user {0} (--user {0})",
    "device": "of the device {0} (--device {0})",
    "session": "in the conversation {0} (--session {0})",
}


class UnknownDevice(NotFound):
    """No device of that id has a place here."""

    code = ErrorCode.UNKNOWN_DEVICE

    def __init__(self, device_id: str) -> None:
        super().__init__(f"There is no device {device_id!r}.")
        self.device_id = device_id


class UnknownGroup(NotFound):
    """No device is in a group of that name."""

    def __init__(self, group: str, known: Sequence[str]) -> None:
        there_are = f"The groups are: {', '.join(known)}." if known else "No device is in any group."
        super().__init__(f"There is no group {group!r}. {there_are}")
        self.group = group


class UnknownCommand(NotFound):
    """No command of that id was ever recorded."""

    def __init__(self, command_id: str) -> None:
        super().__init__(f"There is no command {command_id!r}.")


class UnknownTrace(NotFound):
    """No command and no trace of that id is on record."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Nothing is on record of a command or a trace {name!r}.")


class UnknownApproval(NotFound):
    """No approval of that id was ever asked for."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(f"There is no approval {approval_id!r}.")


class UnknownEvent(NotFound):
    """The device has told of no such event."""

    def __init__(self, device_id: str, event_id: str) -> None:
        super().__init__(f"There is no event {event_id!r} of {device_id!r}.")


class UnknownSession(NotFound):
    """No conversation of that id belongs to this user."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"There is no session {session_id!r}.")


class UnknownMemory(NotFound):
    """Nothing is remembered there under that key. `elsewhere`: scope and owner of where something is."""

    def __init__(self, key: str, elsewhere: Sequence[tuple[str, str]] = ()) -> None:
        if elsewhere:
            where = " and ".join(_PLACES[scope].format(owner) for scope, owner in elsewhere)
            super().__init__(f"Nothing is remembered as {key!r} there, but {where}.")
        else:
            super().__init__(f"Nothing is remembered as {key!r}. See what is: orion memory list")


class UnknownUser(NotFound):
    """Nobody of that name may speak to this controller."""

    def __init__(self, username: str) -> None:
        super().__init__(f"There is no user {username!r}.")


class UnknownGrant(NotFound):
    """Nothing was granted to this user there."""

    def __init__(self, username: str, place: str) -> None:
        super().__init__(f"{username} has no role of their own on {place}. See who has: orion users list")


class UnknownKey(NotFound):
    """There is no API key of that id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no API key {key_id!r}. See which there are: orion keys list")


class NotLinked(NotFound):
    """Somebody is not who was named at that identity provider."""

    def __init__(self, username: str, issuer: str, subject: str) -> None:
        super().__init__(f"{username} is not {subject} at {issuer}.")


class UnknownLink(NotFound):
    """The one device does not hang on the other, not in that way."""

    def __init__(self, link: str) -> None:
        super().__init__(f"Nobody has said that {link}. See what was said: orion devices show")


class UnknownMeasure(NotFound):
    """The device has not measured such a thing in that time."""

    def __init__(self, device_id: str, measure: str, known: Sequence[str]) -> None:
        there_is = f"It measures: {', '.join(known)}." if known else "Nothing is known of it yet."
        super().__init__(f"{device_id} has not measured {measure!r} in that time. {there_is}")


class UnknownSchedule(NotFound):
    """There is no schedule of that id, or it is somebody else's."""

    def __init__(self, schedule_id: str) -> None:
        super().__init__(f"There is no schedule {schedule_id!r}. See which there are: orion schedules list")

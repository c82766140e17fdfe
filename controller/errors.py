"""What can go wrong in the controller, as one tree.

* OrionError
  - NotFound
    · UnknownDevice
    · UnknownGroup
    · UnknownCommand
    · UnknownApproval
    · UnknownEvent
    · UnknownSession
    · UnknownMemory
    · UnknownUser
    · NotLinked
    · UnknownGrant
    · UnknownKey
    · UnknownLink
    · UnknownMeasure
    · UnknownTrace
    · UnknownSchedule
  - Conflict
    · AlreadyExists
    · AlreadyDecided
    · NoProfile
    · SessionOver
    · ToolsChanged
    · NotShutOut
    · LinksInACircle
    · StillAtWork
    · Outdated
  - InvalidArguments
    · InvalidCursor
    · MatchNeeded
  - Refused
    · TooManyWaiting
  - ProviderError
  - Incomplete
"""

from collections.abc import Sequence

from schemas.errors import ErrorBody, ErrorCode

_PLACES = {  # of a memory, by its scope, with the option that names it
    "global": "for everybody (--global)",
    "user": "for the user {0} (--user {0})",
    "device": "of the device {0} (--device {0})",
    "session": "in the conversation {0} (--session {0})",
}


class OrionError(Exception):
    """Something the caller can be told: a code for programs, a sentence for people."""

    code: ErrorCode = ErrorCode.INTERNAL

    def body(self) -> ErrorBody:
        """The error as it travels."""
        return ErrorBody(code=self.code, message=str(self))


class NotFound(OrionError):
    """What was named does not exist."""

    code = ErrorCode.NOT_FOUND


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


class Conflict(OrionError):
    """The request fits no longer, or not yet, with what is stored."""

    code = ErrorCode.CONFLICT


class AlreadyExists(Conflict):
    """The name is taken."""

    code = ErrorCode.ALREADY_EXISTS


class AlreadyDecided(Conflict):
    """An approval is decided once; a second decision changes nothing."""

    def __init__(self, approval_id: str, status: str) -> None:
        super().__init__(f"Approval {approval_id} is {status} already.")
        self.status = status


class NoProfile(Conflict):
    """The device has not said what it is yet."""

    def __init__(self, device_id: str) -> None:
        super().__init__(f"Device {device_id!r} has not published a profile yet; start it first.")


class SessionOver(Conflict):
    """A conversation that was ended is not gone on with."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session {session_id!r} has ended; ask without it to begin another one.")


class ToolsChanged(Conflict):
    """The device offers something else than the person looked at."""

    code = ErrorCode.TOOL_CHANGED

    def __init__(self, device_id: str) -> None:
        super().__init__(
            f"{device_id!r} offers other tools than you looked at; nothing was accepted. Look again: "
            f"orion devices show {device_id}"
        )


class NotShutOut(Conflict):
    """The device may connect as it is."""

    def __init__(self, device_id: str) -> None:
        super().__init__(f"Device {device_id!r} is not shut out.")


class LinksInACircle(Conflict):
    """The other device hangs on this one already, by however many links."""

    def __init__(self, circle: str) -> None:
        super().__init__(f"That would be a circle: {circle}. Take one of these links away first.")


class StillAtWork(Conflict):
    """The same request is at work at this moment."""

    code = ErrorCode.BUSY

    def __init__(self) -> None:
        super().__init__("The same request is still at work: ask again in a moment.")


class Outdated(Conflict):
    """It is not what somebody looked at any more."""

    def __init__(self) -> None:
        super().__init__(
            "It was changed meanwhile, and nothing was done: look at it again, and repeat what still fits."
        )


class InvalidArguments(OrionError):
    """What was given is not what was asked for."""

    code = ErrorCode.INVALID_ARGUMENTS


class InvalidCursor(InvalidArguments):
    """A page was asked for behind a place that no page of this list ended with."""

    def __init__(self) -> None:
        super().__init__("That is no cursor of this list; take `next` of the page before, or leave it out.")


class MatchNeeded(InvalidArguments):
    """A change was asked for without saying of what."""

    def __init__(self) -> None:
        super().__init__("If-Match is missing: the ETag of what you looked at, or * for whatever there is.")


class Refused(OrionError):
    """The caller may not do this."""

    code = ErrorCode.PERMISSION_DENIED


class TooManyWaiting(Refused):
    """More wait for something than may."""

    code = ErrorCode.RATE_LIMITED
    retry_after = 60  # seconds

    def __init__(self) -> None:
        super().__init__("Too many wait for an answer; try again in a few minutes.")


class ProviderError(OrionError):
    """The language model did not give a usable answer.

    `retryable` says whether the same request may succeed in a moment.
    """

    def __init__(
        self, message: str, *, retryable: bool = False, code: ErrorCode = ErrorCode.INTERNAL
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.code = code


class Incomplete(OrionError):
    """A part of it was done, and the disk or the broker did not take the rest; the message says which, and what to do."""

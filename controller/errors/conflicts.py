"""What does not fit what is there."""

from controller.errors.kinds import Conflict
from schemas.errors import ErrorCode


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

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

from controller.errors.conflicts import (
    AlreadyDecided,
    AlreadyExists,
    LinksInACircle,
    NoProfile,
    NotShutOut,
    Outdated,
    SessionOver,
    StillAtWork,
    ToolsChanged,
)
from controller.errors.kinds import (
    Conflict,
    Incomplete,
    InvalidArguments,
    InvalidCursor,
    MatchNeeded,
    NotFound,
    OrionError,
    ProviderError,
    Refused,
    TooManyWaiting,
)
from controller.errors.unknown import (
    NotLinked,
    UnknownApproval,
    UnknownCommand,
    UnknownDevice,
    UnknownEvent,
    UnknownGrant,
    UnknownGroup,
    UnknownKey,
    UnknownLink,
    UnknownMeasure,
    UnknownMemory,
    UnknownSchedule,
    UnknownSession,
    UnknownTrace,
    UnknownUser,
)

__all__ = [
    "AlreadyDecided",
    "AlreadyExists",
    "Conflict",
    "Incomplete",
    "InvalidArguments",
    "InvalidCursor",
    "LinksInACircle",
    "MatchNeeded",
    "NoProfile",
    "NotFound",
    "NotLinked",
    "NotShutOut",
    "OrionError",
    "Outdated",
    "ProviderError",
    "Refused",
    "SessionOver",
    "StillAtWork",
    "TooManyWaiting",
    "ToolsChanged",
    "UnknownApproval",
    "UnknownCommand",
    "UnknownDevice",
    "UnknownEvent",
    "UnknownGrant",
    "UnknownGroup",
    "UnknownKey",
    "UnknownLink",
    "UnknownMeasure",
    "UnknownMemory",
    "UnknownSchedule",
    "UnknownSession",
    "UnknownTrace",
    "UnknownUser",
]

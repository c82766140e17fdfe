"""Orders to groups: one command for the group, one for each of its devices, at a pace."""

from controller.services.rollouts.children import is_held
from controller.services.rollouts.pace import FASTEST, MAX_IN_FLIGHT, SLOWEST, Pace
from controller.services.rollouts.progress import advance, cancel, take_up
from controller.services.rollouts.submission import GroupRequest, submit

__all__ = [
    "FASTEST",
    "MAX_IN_FLIGHT",
    "SLOWEST",
    "GroupRequest",
    "Pace",
    "advance",
    "cancel",
    "is_held",
    "submit",
    "take_up",
]

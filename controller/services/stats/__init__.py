"""What was done and how it went, counted over a window of time.

A command counts once it has ended, at the moment it ended, so the figures of a window that is past stay
as they are. A dry run does not count, and of an order to a group the commands of its devices do.
"""

from controller.services.stats.activity import Activity, activity
from controller.services.stats.ends import TRIED, Ends
from controller.services.stats.failures import REPEATED, Failure, failures
from controller.services.stats.usage import Usage, usage
from controller.services.stats.window import MOST_PERIODS, SPAN, Window

__all__ = [
    "MOST_PERIODS",
    "REPEATED",
    "SPAN",
    "TRIED",
    "Activity",
    "Ends",
    "Failure",
    "Usage",
    "Window",
    "activity",
    "failures",
    "usage",
]

"""Checks of a device, ours or anybody's, against the wire contract: by listening, and by talking as a controller.

It sees what a controller sees and nothing of the device's inside. What cannot be seen from there
is `not tried`, never `passed`.
"""

from orion.conform.call import NoSuchCall
from orion.conform.examination import Examination
from orion.conform.findings import Check, Finding, State, Verdict
from orion.conform.identity import NoPlace, endpoint, signer_of
from orion.conform.line import LineLost, connected
from orion.conform.table import CHECKS, examine, first_words

__all__ = [
    "CHECKS",
    "Check",
    "Examination",
    "Finding",
    "LineLost",
    "NoPlace",
    "NoSuchCall",
    "State",
    "Verdict",
    "connected",
    "endpoint",
    "examine",
    "first_words",
    "signer_of",
]

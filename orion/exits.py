"""Exit codes: what a script learns from a command. One table each for statuses and error codes.

Of several calls the worst counts. A step that was not run because another one ended badly
says nothing of its own: the other one does.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

INTERRUPTED = 130  # what shells give a program that Ctrl-C ended


class Exit(IntEnum):
    """What a command of `orion` ends with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DENIED = 3
    WAITING = 4  # for a person's approval, or for its device
    OFFLINE = 5  # or expired
    UNKNOWN = 6  # whether it took effect is not known


STATUSES: dict[str, Exit] = {
    "succeeded": Exit.DONE,
    "failed": Exit.FAILED,
    "cancelled": Exit.FAILED,
    "denied": Exit.DENIED,
    "rejected": Exit.DENIED,
    "awaiting_approval": Exit.WAITING,
    "waiting": Exit.WAITING,
    "expired": Exit.OFFLINE,
    "interrupted": Exit.UNKNOWN,
    # still on its way when we stopped waiting
    "queued": Exit.UNKNOWN,
    "sent": Exit.UNKNOWN,
    "accepted": Exit.UNKNOWN,
}
CODES: dict[str, Exit] = {
    "invalid_arguments": Exit.USAGE,
    "path_not_allowed": Exit.DENIED,
    "app_not_allowed": Exit.DENIED,
    "permission_denied": Exit.DENIED,
    "approval_denied": Exit.DENIED,
    "approval_expired": Exit.OFFLINE,
    "device_offline": Exit.OFFLINE,
    "expired": Exit.OFFLINE,
    "interrupted": Exit.UNKNOWN,
}
OUTCOMES: dict[str, Exit] = {
    "calls": Exit.DONE,  # and then what came of them
    "answer": Exit.DONE,
    "question": Exit.FAILED,
    "declined": Exit.FAILED,
    "error": Exit.FAILED,
    "refused": Exit.DENIED,
}
# An unknown effect and a failure need somebody to look; a refusal is final; the rest can be tried again.
WORST_FIRST = (Exit.UNKNOWN, Exit.FAILED, Exit.DENIED, Exit.OFFLINE, Exit.WAITING, Exit.DONE)


def of_command(status: str) -> Exit:
    """What one command's status means."""
    return STATUSES.get(status, Exit.FAILED)


def of_code(code: str) -> Exit:
    """What an error of the controller means."""
    return CODES.get(code, Exit.FAILED)


def of_calls(statuses: Sequence[str]) -> Exit:
    """What the calls of one plan mean together."""
    waits = bool({"awaiting_approval", "waiting"} & set(statuses))
    # a step behind one that waits for a person or a device waits with it; one behind a bad end was cancelled by it
    counted = [each for each in statuses if each != "cancelled" and not (waits and each == "queued")]
    found = worst([of_command(each) for each in counted])
    return Exit.FAILED if found is Exit.DONE and "cancelled" in statuses else found


def of_report(report: Mapping[str, Any]) -> Exit:
    """What a whole turn means: its outcome and its calls."""
    outcome = OUTCOMES.get(str(report.get("outcome")), Exit.FAILED)
    return worst([outcome, of_calls([str(call["status"]) for call in report.get("calls", ())])])


def worst(exits: Sequence[Exit]) -> Exit:
    """The one that counts."""
    return next((each for each in WORST_FIRST if each in exits), Exit.DONE)

"""What a command's row can say: its statuses, and how it may move between them.

One table for every door and every reply: a final status never changes.
"""

from enum import StrEnum

from schemas.commands import ReplyStatus


class Status(StrEnum):
    """Where a command stands. Those from `succeeded` on are final."""

    AWAITING_APPROVAL = "awaiting_approval"
    WAITING = "waiting"  # for its device to be online
    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"  # this controller's permission, or the person who was asked, said no
    REJECTED = "rejected"  # the device's own check said no
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # the effect is unknown

    @property
    def is_final(self) -> bool:
        return self not in OPEN


OPEN = frozenset({Status.AWAITING_APPROVAL, Status.WAITING, Status.QUEUED, Status.SENT, Status.ACCEPTED})
NOT_LEFT = frozenset({Status.AWAITING_APPROVAL, Status.WAITING, Status.QUEUED})  # unless it was released
ON_THE_WAY = frozenset({Status.QUEUED, Status.SENT, Status.ACCEPTED})
FAILURES = frozenset(  # a command that somebody cancelled is none
    {Status.FAILED, Status.REJECTED, Status.INTERRUPTED, Status.EXPIRED, Status.DENIED}
)


def after(status: Status, reply: ReplyStatus) -> Status | None:
    """The status a device's reply leads to; None if it changes nothing or cannot be true."""
    if status not in ON_THE_WAY:
        return None
    return Status(reply.value) if reply.is_final else Status.ACCEPTED

"""A command on its way: what is remembered of it until somebody answers finally, and what to do next.

Its content is kept for the first publishing only; later ones read it again. Pure: the
hour is always given.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from controller.services import conditions, settling
from controller.services.orders import Status
from controller.store.tables import ToolExecution

EPOCH = datetime.min.replace(tzinfo=UTC)
AGAIN_AFTER = timedelta(seconds=5)  # then doubling
AGAIN_AT_MOST = timedelta(seconds=60)
JUST_NOW = timedelta(seconds=1)  # what was published so lately is not said again because its device came


class Step(Enum):
    """What a command needs now."""

    NOTHING = "nothing"
    JUDGE = "judge"  # the rules changed, or its device went
    PUBLISH = "publish"
    CANCEL = "cancel"
    SETTLE = "settle"  # it surely never left, and will not
    FORGET = "forget"  # nobody can answer it any more: the sweep settles it


@dataclass(slots=True)
class Pending:
    """One open command. `next_at`: nothing is published before."""

    command_id: str
    device_id: str
    expires_at: datetime
    over_at: datetime  # until then it may be answered
    attempt: int = 0  # the highest that anybody knows of
    unsent: bool = True  # it surely never left
    row: ToolExecution | None = None  # until it is published for the first time
    heard: bool = False  # accepted: no need to ask again while the device stays
    cancel_wanted: bool = False  # from here on the cancel goes out in the command's place
    doubted: bool = False  # it is judged once more before anything else
    only_online: bool = False  # it does not wait for its device
    tries: int = 0  # of what is published now, since the device came
    last_at: datetime = EPOCH
    next_at: datetime = EPOCH

    @classmethod
    def fresh(cls, row: ToolExecution) -> "Pending":
        """One that was let go in this life of the program."""
        only_online = conditions.of(row) == conditions.ONLINE
        return cls(
            row.id, row.device_id, row.expires_at, settling.deadline(row), row=row, only_online=only_online
        )

    @classmethod
    def left_over(cls, row: ToolExecution, *, cancel_wanted: bool) -> "Pending":
        """One of an earlier life: it may have left, whatever is known."""
        return cls(
            row.id,
            row.device_id,
            row.expires_at,
            settling.deadline(row),
            attempt=row.attempt,
            unsent=False,
            heard=row.status == Status.ACCEPTED,
            cancel_wanted=cancel_wanted,
            doubted=row.status != Status.ACCEPTED,
        )

    def step(self, now: datetime, *, ready: bool) -> Step:
        """What to do now; `ready`: its device may be sent something."""
        if now >= self.over_at and not self.unsent:
            return Step.FORGET
        if now < self.next_at:
            return Step.NOTHING
        if self.unsent and now >= self.expires_at:
            return Step.SETTLE
        if self.doubted and not self.cancel_wanted:
            return Step.JUDGE
        if self.cancel_wanted:
            return Step.SETTLE if self.unsent else Step.CANCEL
        if self.heard or not ready or now >= self.expires_at:
            return Step.NOTHING
        return Step.PUBLISH

    def look_at(self, now: datetime, *, ready: bool) -> datetime:
        """When `step` may have something else to say."""
        if self.cancel_wanted or self.doubted or (ready and not self.heard and now < self.expires_at):
            soonest = self.next_at
        else:
            soonest = max(self.next_at, self.expires_at) if now < self.expires_at else self.over_at
        if self.unsent:
            return max(self.next_at, min(soonest, self.expires_at))
        return min(soonest, self.over_at)

    def note_said(self, now: datetime) -> None:
        """It, or its cancel, was published: the next time is later each time."""
        wait: timedelta = AGAIN_AFTER * 2 ** min(self.tries, 8)
        self.tries, self.last_at, self.next_at = self.tries + 1, now, now + min(wait, AGAIN_AT_MOST)

    def note_arrival(self, now: datetime) -> None:
        """Its device came: ask for the state reached, at once."""
        self.heard = False
        if self.unsent or now - self.last_at >= JUST_NOW:
            self.tries, self.next_at = 0, EPOCH

    def call_off(self) -> None:
        """From now on its cancel is what is said."""
        if not self.cancel_wanted:
            self.cancel_wanted, self.tries, self.next_at = True, 0, EPOCH

    def doubt(self) -> None:
        """Judge it before it is published again; what its device took on is its device's."""
        if self.unsent or not self.heard:
            self.doubted, self.next_at, self.row = True, EPOCH, None

    def postpone(self, until: datetime) -> None:
        """Leave it alone until then."""
        self.next_at = until

"""A command on its way: what the outbox remembers of it until somebody answers finally."""

from dataclasses import dataclass
from datetime import UTC, datetime

from controller.store.tables import ToolExecution

EPOCH = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Pending:
    """One open command. `next_at`: not to be looked at before."""

    row: ToolExecution
    next_at: datetime = EPOCH
    attempts: int = 0  # of this program's life
    earlier_attempts: int = 0  # of earlier lives
    may_have_left: bool = False  # in an earlier life
    heard: bool = False  # accepted: no need to ask again while the device stays
    cancel_wanted: bool = False  # from here on the cancel goes out in the command's place
    doubted: bool = False  # the rules changed before it left: it is judged once more

    @property
    def unsent(self) -> bool:
        """Whether it surely never left."""
        return self.attempts == 0 and not self.may_have_left

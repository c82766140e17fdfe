"""What can go wrong with a backup.

* OrionError
  - NotBackedUp
  - NotRestored
    · BackupUnusable
    · DatabaseInUse
    · ChainBroken
  - ToolMissing
"""

from pathlib import Path

from controller.errors import Conflict, InvalidArguments, OrionError


class NotBackedUp(OrionError):
    """No backup was made; what was there stays as it was."""


class NotRestored(OrionError):
    """The database stays as it was."""


class BackupUnusable(NotRestored, InvalidArguments):
    """The file is no backup, a damaged one, or one that does not fit here."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path


class DatabaseInUse(NotRestored, Conflict):
    """Another program works with the database."""

    def __init__(self, found: str) -> None:
        super().__init__(f"{found} Stop the controller and whatever else uses the database, and try again.")


class ChainBroken(NotRestored):
    """The audit in the backup is not what was recorded."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"The audit in the backup is not what was recorded: {found} Take another backup, or say "
            "--accept-broken-chain if you know why."
        )


class ToolMissing(OrionError):
    """A program of PostgreSQL is needed and is not here, or is too old; the message says how to get it."""

    def __init__(self, name: str, major: int) -> None:
        super().__init__(
            f"{name} of PostgreSQL {major} or newer is needed and is not here: "
            f"sudo apt-get install postgresql-client-{major}"
        )

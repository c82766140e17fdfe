"""A program that moves a database and is killed behind every batch that it brought, until nothing is left to do.

Each life of it is a process of its own that kills itself with what nobody can catch. Called with the two URLs in
its environment; says how many lives it took.
"""

import os
import signal
import sys

from controller.store import engine, ledger, moving
from tests.factories import NOON


def live(at_once: int) -> None:
    """Move on, and die with the first batch."""
    source, target = engine.reader(os.environ["FROM"]), engine.writer(os.environ["TO"])
    with target.connect() as connection:
        entries = ledger.entries(connection) if ledger.is_open(connection) else {}
    behind = {name: entry.rows for name, entry in entries.items()}

    def tell(table: str, rows: int) -> None:
        behind[table] = behind.get(table, 0) - rows
        if behind[table] < 0:  # not one that was there before
            os.kill(os.getpid(), signal.SIGKILL)

    copied = moving.copy(source, target, place="here", now=NOON, tell=tell, at_once=at_once)
    moving.check(target, copied.entries, tell=lambda _table, _rows: None)
    moving.finish(target, run=copied.run)


def main() -> None:
    lives = 0
    while True:
        child = os.fork()
        if child == 0:
            live(int(sys.argv[1]))
            os._exit(0)
        lives += 1
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.stdout.write(f"{lives}\n")
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()

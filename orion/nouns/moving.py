"""`orion db move`: the whole database into another one, from a file to a server or back."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orion import destination, idle, progress
from orion.client import Json
from orion.config.addresses import heads_path
from orion.config.sources import masked_url
from orion.exits import INTERRUPTED, Exit
from orion.nouns.audit.rows import TELL_EVERY, own_keys
from orion.nouns.audit.verifying import sentence
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation, verb

if TYPE_CHECKING:  # the controller's own parts are loaded for the move only
    from sqlalchemy import Engine

    from controller.services import proof
    from controller.store import moving

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URL",
        help=f"The empty database; - to be asked, or for stdin; {destination.VARIABLE} unless said.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only count the rows, and see whether they can be moved there.")
]


@dataclass(frozen=True, slots=True)
class _Ends:
    """The two databases, and their URLs as they may be shown."""

    source: "Engine"
    target: "Engine"
    source_url: str
    target_url: str

    def told(self) -> Json:
        return {"from": self.source_url, "to": self.target_url}


def register(group: typer.Typer) -> None:
    """Add the verb to `orion db`."""
    examples = ("--to postgresql://orion@db.example/orion --dry-run", "--to sqlite:////path/orion.db")
    shown = "\n".join(f"orion db move {each}" for each in examples)
    verb(group, "move", example=shown, shown={"database_url"})(move)


def move(invocation: Invocation, to: To = None, dry_run: DryRun = False) -> Exit:
    """Move the whole database into another one: from SQLite to PostgreSQL, or back.

    The controller must not run. The database that is moved is only read. Whatever stops a move, the same command goes on with it. At the end every row is compared with what was read, and the audit is verified.

    A password has no place on a command line: say --to without it and set PGPASSWORD or ~/.pgpass, or use --to - or the environment.
    """
    terminal = invocation.terminal
    url, target = invocation.settings.database_url, destination.chosen(terminal, to)
    destination.refuse_same(url, target)
    if not destination.is_there(url):
        raise Failure(f"There is no database {masked_url(url)} yet.", code="not_found")
    idle.check(invocation)
    idle.check_database(target)
    with _opened(url, target) as ends:
        rows = _rows(ends)
        if dry_run:
            _tell_rows(terminal, ends, rows)
            return Exit.DONE
        try:
            _move(invocation, ends, rows)
        except KeyboardInterrupt:
            raise _interrupted(terminal, ends) from None
    return Exit.DONE


@contextmanager
def _opened(url: str, target: str) -> Iterator[_Ends]:
    from controller.errors import OrionError
    from controller.store import engine

    # Ctrl-C in the middle of a query is said once, and not by the library too
    logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())
    try:
        ends = _Ends(engine.reader(url), engine.writer(target), masked_url(url), masked_url(target))
        try:
            yield ends
        finally:
            ends.source.dispose()
            ends.target.dispose()
    except OrionError as error:
        raise Failure(str(error), code=error.code.value) from error


def _rows(ends: _Ends) -> dict[str, int]:
    """How many rows are to be moved, once it is seen that they can be."""
    from controller.store import moving

    moving.check_source(ends.source)
    if destination.is_there(ends.target.url.render_as_string(hide_password=False)):
        moving.is_new(ends.target)
    return moving.count(ends.source)


def _move(invocation: Invocation, ends: _Ends, rows: dict[str, int]) -> None:
    from controller.store import moving

    terminal, total = invocation.terminal, sum(rows.values())
    terminal.say(f"Moving {total:,} rows from {ends.source_url} to {ends.target_url}")
    destination.make(ends.target.url.render_as_string(hide_password=False))
    with progress.of_rows(terminal, "moving", total) as tell:
        copied = moving.copy(
            ends.source, ends.target, place=ends.source_url, now=datetime.now(UTC), tell=tell
        )
    with progress.of_rows(terminal, "comparing", total) as tell:
        moving.check(ends.target, copied.entries, tell=tell)
    with progress.of_rows(terminal, "verifying the audit", rows["audit_log"]) as tell:
        chains = _proved(invocation, ends, tell)
    moving.finish(ends.target, run=copied.run)
    _tell(terminal, ends, copied, chains)


def _proved(invocation: Invocation, ends: _Ends, tell: Callable[[str, int], None]) -> "list[proof.Chain]":
    """The chains of the audit in the target: none may be worse than it is in the source."""
    there = _chains(invocation, ends.target, tell)
    if all(chain.fault is None for chain in there):
        return there
    before = {chain.instance: chain.fault for chain in _chains(invocation, ends.source, lambda *_: None)}
    for chain in there:
        if chain.fault != before.get(chain.instance):
            raise Failure(
                f"The audit does not hold in the target. {sentence(chain)} Go on with the database that you have.",
                code="audit_broken",
            )
    return there


def _chains(
    invocation: Invocation, database: "Engine", tell: Callable[[str, int], None]
) -> "list[proof.Chain]":
    from sqlmodel import Session

    from controller.services import heads, proof
    from controller.store import headfile, moving

    kept, _ = heads.read(headfile.lines_of(heads_path(invocation.settings)))
    seen = 0

    def count(rows: int) -> None:
        nonlocal seen
        seen += rows
        if seen % TELL_EVERY == 0:
            tell("", TELL_EVERY)

    with moving.reading(moving.TargetUnusable):
        rows = proof.Stored(lambda: Session(database))
        return proof.walk(rows, kept, believed=own_keys(invocation), tell=count)


def _tell_rows(terminal: Terminal, ends: _Ends, rows: dict[str, int]) -> None:
    total = sum(rows.values())
    if not terminal.answer({**ends.told(), "rows": rows, "total": total}):
        some = [{"table": name, "rows": count} for name, count in rows.items() if count]
        terminal.items(some, {"table": "table", "rows": "rows"}, none="There are no rows.")
        terminal.say(f"{total:,} rows would be moved from {ends.source_url} to {ends.target_url}.")


def _tell(terminal: Terminal, ends: _Ends, copied: "moving.Copied", chains: "list[proof.Chain]") -> None:
    rows = {name: entry.rows for name, entry in copied.entries.items()}
    changed = {name: entry.changed for name, entry in copied.entries.items() if entry.changed}
    whole = all(chain.fault is None for chain in chains)
    total = sum(rows.values())
    said = {**ends.told(), "rows": rows, "total": total, "changed": changed, "audit_whole": whole}
    if terminal.answer(said):
        return
    terminal.say(f"{total:,} rows are in {ends.target_url}, each compared with what was read.", "green")
    if changed:
        where = ", ".join(f"{count:,} of {name}" for name, count in changed.items())
        terminal.say(f"Not to the letter, as it cannot hold one of their characters or numbers: {where}.")
    for chain in chains:
        if chain.fault is not None:
            terminal.say(f"The audit was not whole before the move either. {sentence(chain)}", "yellow")
    password = " with its password, if it has one," if ends.target.dialect.name == "postgresql" else ""
    terminal.say(
        f"Set ORION_DATABASE_URL={ends.target_url}{password} and start the controller. "
        f"What was moved stays in {ends.source_url}, untouched."
    )


def _interrupted(terminal: Terminal, ends: _Ends) -> typer.Exit:
    sentence = f"Stopped. What was moved stays in {ends.target_url}; the same command goes on with it."
    if not terminal.answer({"error": {"code": "interrupted", "message": sentence}}):
        terminal.say("")  # what stands on the line is ^C
    terminal.say(sentence)
    return typer.Exit(INTERRUPTED)

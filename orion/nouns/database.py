"""`orion db`: which database the controller has, and its schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orion import idle
from orion.config.sources import masked_url
from orion.exits import Exit
from orion.nouns import backups, moving
from orion.verbs import Failure, Invocation, noun, verb

if TYPE_CHECKING:
    from sqlalchemy import Engine


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "db", "The controller's database, and backups of it.")
    verb(group, "status", example="orion db status", shown={"database_url"})(status)
    verb(group, "clean", example="orion db clean --dry-run")(clean)
    verb(group, "migrate", example="orion db migrate", shown={"database_url"})(migrate)
    backups.register(group)
    moving.register(group)


def status(invocation: Invocation) -> Exit:
    """Which database it is, and whether this Orion can use it as it is."""
    from controller.store import ledger  # the controller's own parts, for these commands only
    from controller.store import migrate as schema

    idle.check_same(invocation)
    with _opened(invocation) as engine, engine.connect() as connection:
        found, kind = schema.current(engine), engine.dialect.name
        moving = ledger.is_open(connection)
    url, newest = masked_url(invocation.settings.database_url), schema.newest()
    good = found == newest
    terminal = invocation.terminal
    said = {"url": url, "kind": kind, "schema": found, "newest": newest, "up_to_date": good, "moving": moving}
    if not terminal.answer(said):
        remedy = "" if good else f" This Orion needs {newest}: orion db migrate"
        terminal.say(f"{url}\n{'It is empty.' if found is None else f'Its schema is {found}.'}{remedy}")
        if moving:
            terminal.say("A move into it has not ended: run the same `orion db move` again.")
    return Exit.DONE if good and not moving else Exit.FAILED


def clean(
    invocation: Invocation,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go.")] = False,
) -> None:
    """Delete what is kept no longer, as happens once a day by itself.

    That are commands and resolved events of long ago, words of old conversations, old measurements and expired memory; see the settings keep_commands_days, keep_events_days and keep_messages_days.
    """
    done = invocation.client.post("/system/clean", {"dry_run": dry_run})
    terminal = invocation.terminal
    if not terminal.answer(done):
        rows = [{"what": name, "rows": count} for name, count in done["rows"].items() if count]
        head = "would go" if dry_run else "gone"
        terminal.items(rows, {"what": "what", "rows": head}, none="There is nothing to delete.")


def migrate(
    invocation: Invocation, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> Exit:
    """Bring the schema up to date; the controller must not run meanwhile.

    A file is copied first, and a controller does this by itself when it starts. Of a server's database
    make a copy yourself: orion db backup. Without a terminal, --yes says that there is one.
    """
    from controller.store import engine as engines
    from controller.store import migrate as schema

    idle.check(invocation)
    terminal = invocation.terminal
    with _opened(invocation) as engine:
        before = schema.current(engine)
        is_file = engine.dialect.name == engines.SQLITE
        if before == schema.newest():
            copy = None
        elif is_file:
            copy = schema.copied(engine, before) if before is not None else None
            schema.upgrade(engine)
        else:
            if before is not None and not yes:
                if not terminal.asks:
                    raise Failure(
                        "This changes the database. Say --yes if there is a copy of it (orion db backup).",
                        code="usage",
                        exit_code=Exit.USAGE,
                    )
                if not terminal.confirm("Is there a copy of it (orion db backup)?"):
                    terminal.say("Nothing was changed")
                    return Exit.FAILED
            copy = None
            schema.upgrade(engine)
    said = {"before": before, "schema": schema.newest(), "copy": None if copy is None else str(copy)}
    if not terminal.answer(said):
        terminal.say(f"The database has the schema {schema.newest()}.")
        if copy is not None:
            terminal.say(f"As it was, it stays in {copy}.")
    return Exit.DONE


@contextmanager
def _opened(invocation: Invocation) -> Iterator["Engine"]:
    """The database, without a controller."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from controller.errors import OrionError
    from controller.store import engine as engines
    from controller.store import remedies

    url = invocation.settings.database_url
    try:
        address = make_url(url)
        if address.get_backend_name() == engines.SQLITE and not Path(address.database or "").is_file():
            raise Failure(f"There is no database at {address.database} yet.", code="not_found")
        engine = engines.writer(url)
        try:
            yield engine
        finally:
            engine.dispose()
    except OrionError as error:
        raise Failure(str(error), code=error.code.value) from error
    except SQLAlchemyError as error:
        raise Failure(f"The database {masked_url(url)} cannot be used: {remedies.told(error)}") from error

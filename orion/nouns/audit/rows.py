"""The rows that a proof or an export is made of, and how far it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orion import idle
from orion.config.addresses import keys_path
from orion.config.sources import masked_url
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation

if TYPE_CHECKING:
    from controller.services import proof

LONG = 20_000  # rows from which on a bar is drawn
TELL_EVERY = 1_000  # rows


def own_keys(invocation: Invocation) -> frozenset[str]:
    """The ids of the keys that this installation believes now."""
    from controller.store import keyring

    try:
        held = keyring.held(keys_path(invocation.settings), datetime.now(UTC))
    except keyring.KeysUnusable as error:
        raise Failure(str(error), code="configuration") from error
    return frozenset(key.key_id for key in held)


@contextmanager
def stored_rows(invocation: Invocation) -> "Iterator[tuple[proof.Stored, Callable[[], proof.Unchained]]]":
    """The rows of this installation's database, only looked at, and what stands outside of the chains."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import DBAPIError
    from sqlmodel import Session

    from controller.services import proof
    from controller.store import engine, remedies

    idle.check_same(invocation)
    url = invocation.settings.database_url
    address = make_url(url)
    if address.get_backend_name() == engine.SQLITE and not Path(address.database or "").is_file():
        raise Failure(f"There is no database {address.database}: nothing is on record.", code="not_found")
    reader = engine.reader(url)

    def loose() -> "proof.Unchained":
        with Session(reader) as session:
            return proof.unchained(session)

    try:
        yield proof.Stored(lambda: Session(reader)), loose
    except DBAPIError as error:
        raise Failure(f"The database {masked_url(url)} cannot be read: {remedies.told(error)}") from error
    finally:
        reader.dispose()


@contextmanager
def progress(terminal: Terminal, total: int) -> Iterator[Callable[[int], None]]:
    """How far a long walk is, for whoever looks on."""
    if not terminal.watched or total < LONG:
        yield lambda _rows: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("audit"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.err, transient=True) as drawn:
        task = drawn.add_task("", total=total)
        rows = 0

        def tell(more: int) -> None:
            nonlocal rows
            rows += more
            if rows % TELL_EVERY == 0:
                drawn.update(task, completed=rows)

        yield tell

"""The two databases of a move: one is read at one moment of it, the other one written, both without surprises.

What goes wrong is said as what that end did; what is there already stays, and is gone on with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, func, inspect, literal, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from controller.errors import Conflict, OrionError
from controller.store import engine as engines
from controller.store import ledger, migrate
from controller.store.moving.forms import Fitted, Form
from controller.store.tables import METADATA

FETCHED = 500  # rows that the driver brings at a time

Tell = Callable[[str, int], None]  # a table, and how many more rows of it are done


class SourceUnusable(OrionError):
    """The source cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The database that is to be moved cannot be read: {reason}.")


class TargetUnusable(OrionError):
    """The target does not take the rows, or does not give them back."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The target cannot be used: {reason}. What is there already stays, and the same command goes on with it."
        )


class Damaged(OrionError):
    """A row holds what its column cannot, by somebody's hand."""

    def __init__(self, table: str, error: Exception) -> None:
        super().__init__(f"A row of {table} is damaged and cannot be moved: {error}.")


class NotEmpty(Conflict):
    """The target holds something already."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The target holds {what}: a move needs an empty database of its own.")


class OtherSchema(Conflict):
    """One of the two is not of the schema that this program knows."""

    def __init__(self, which: str, revision: str | None) -> None:
        found = "no schema" if revision is None else f"the schema {revision}"
        super().__init__(
            f"{which} has {found}, and a move needs {migrate.newest()}. Bring it up to date, with "
            "ORION_DATABASE_URL set to it: orion db migrate"
        )


def check_source(source: Engine) -> None:
    """Make sure that the source can be moved.

    Raises:
        SchemaNewer, OtherSchema: it is not of this program's schema.
        Unfinished: a move into it has not ended.
    """
    with reading(SourceUnusable):
        if (found := migrate.current(source)) != migrate.newest():
            raise OtherSchema("The database that is to be moved", found)
        with source.connect() as connection:
            if ledger.is_open(connection):
                raise ledger.Unfinished


def is_new(target: Engine) -> bool:
    """Whether there is nothing in the target, not even a schema; else it is fit to be moved into.

    Raises:
        NotEmpty: it holds rows, or tables that are none of ours.
        SchemaNewer, OtherSchema: it is not of this program's schema.
    """
    with reading(TargetUnusable):
        found = migrate.current(target)
        with target.connect() as connection:
            if found is None:
                if inspect(connection).get_table_names():
                    raise NotEmpty("tables that Orion did not make")
                return True
            if found != migrate.newest():
                raise OtherSchema("The target", found)
            if not ledger.is_open(connection):
                refuse_rows(connection)
    return False


def refuse_rows(target: Connection) -> None:
    """Make sure that every table is empty.

    Raises:
        NotEmpty: one is not.
    """
    for table in METADATA.sorted_tables:
        if target.execute(select(literal(1)).select_from(table).limit(1)).first() is not None:
            raise NotEmpty(f"rows already, in {table.name} (a move that has ended is not made again)")


def counted(connection: Connection) -> dict[str, int]:
    """How many rows each table has, in the order in which they are moved."""
    return {
        table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
        for table in METADATA.sorted_tables
    }


def count(source: Engine) -> dict[str, int]:
    """How many rows each table has, in the order in which they are moved."""
    with snapshot(source, SourceUnusable) as connection:
        return counted(connection)


def rows_of(connection: Connection, form: Form, *, by_key: bool) -> Iterator[Fitted]:
    """All rows of a table, a few in memory at a time.

    Raises:
        Damaged: one of them holds what it cannot hold.
    """
    query = form.reading(connection.dialect.name)
    if by_key:
        query = query.order_by(*form.table.primary_key)
    options = {"stream_results": True, "yield_per": FETCHED}
    with connection.execute(query, execution_options=options) as found:
        try:
            for row in found:
                yield form.fitted(row)
        except (ValueError, TypeError, RecursionError) as error:
            raise Damaged(form.table.name, error) from error


@contextmanager
def snapshot(database: Engine, failure: type[SourceUnusable | TargetUnusable]) -> Iterator[Connection]:
    """One moment of a database, for as long as the block takes."""
    with reading(failure), database.connect() as connection:
        if database.dialect.name == engines.POSTGRESQL:  # however long a table takes
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        yield connection


@contextmanager
def reading(failure: type[SourceUnusable | TargetUnusable]) -> Iterator[None]:
    """Say what the database does inside as what that end did."""
    try:
        yield
    except SQLAlchemyError as error:
        raise failure(_reason(error)) from error


@contextmanager
def writing(target: Engine) -> Iterator[Connection]:
    """One transaction in the target."""
    with reading(TargetUnusable), target.begin() as connection:
        yield connection


def _reason(error: SQLAlchemyError) -> str:
    """What the database said, in a line; not the statement, which holds data."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(said).partition("\n")[0].rstrip(". ") or type(said).__name__

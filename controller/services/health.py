"""Whether the store is sound and takes changes, asked of the database itself."""

from sqlmodel import Session, text

from schemas.wire import JsonObject


def database(session: Session) -> JsonObject:
    """Which database it is, at which revision, and whether it still answers truthfully."""
    connection = session.connection()
    kind = connection.dialect.name
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    found: JsonObject = {"kind": kind, "revision": str(revision)}
    if kind == "sqlite":
        found["integrity"] = str(connection.execute(text("PRAGMA quick_check(1)")).scalar_one())
        found["journal_mode"] = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
    else:
        found["version"] = str(connection.execute(text("SHOW server_version")).scalar_one())
        found["replica"] = bool(connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one())
    return found


def answers(session: Session) -> None:
    """The least that a database can be asked."""
    session.connection().execute(text("SELECT 1"))


def change(session: Session) -> None:
    """A change that leaves everything as it is: a database that takes it takes others too."""
    session.connection().execute(text("UPDATE alembic_version SET version_num = version_num"))

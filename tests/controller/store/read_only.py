"""A database that takes no writes for a while."""

from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool
from sqlmodel import text

from controller.store.store import Store


def set_read_only(store: Store, switch: str) -> None:
    """What a file system that turned read-only, or a server that is a replica now, does to the writer."""
    engine = store._writer
    if engine.dialect.name == "postgresql":
        _set_for_new_sessions(engine, switch)
        word = f"SET default_transaction_read_only={switch}"
    else:
        word = f"PRAGMA query_only={switch}"
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    alone = False
    while not alone:  # the writer may be at work with a connection that it gives back afterwards
        held = [engine.raw_connection()]
        while pool.checkedin():
            held.append(engine.raw_connection())
        alone = pool.checkedout() == len(held)
        for connection in held:
            if alone:
                connection.cursor().execute(word)
                connection.commit()
            connection.close()


def _set_for_new_sessions(engine: Engine, switch: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(
            text(f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = {switch}')
        )
        connection.commit()

"""The index of full-text search says what the rows say, whatever is done to the tables."""

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, delete, select
from sqlmodel import Session

from controller.services import audit, events, search
from controller.services.search import Query
from controller.store import engine, fulltext, migrate
from controller.store.fulltext.tables import BLOCK, INDEXES, SEARCH
from controller.store.tables import EventRow
from controller.store.triggers import Kept
from tests.controller.store.test_revisions import at, fill
from tests.databases import Databases
from tests.factories import ADMIN, NOON, an_event, later


def found(writer: Engine, text: str) -> list[str]:
    with Session(writer) as session, session.begin():
        hits = search.find(session, Query(text), actor=ADMIN, now=later(1), limit=1_000).hits
        return [f"{hit.kind} {hit.title}" for hit in hits]


def written(writer: Engine, count: int, event_type: str = "unicorn") -> None:
    with Session(writer) as session, session.begin():
        for number in range(count):
            event = an_event(f"{event_type}-{number}", type=event_type)
            events.store(session, "nas", event, now=later(number))


def check(writer: Engine) -> None:
    """The index holds the rows up to its mark, each as it is, and no other."""
    if writer.dialect.name != "sqlite":
        return
    with writer.begin() as connection:
        run = connection.exec_driver_sql
        held = 0
        for index in (index.name for index in INDEXES):
            run("INSERT INTO @ (@, rank) VALUES ('integrity-check', 0)".replace("@", index))
            asked = "SELECT count(*) FROM @ WHERE @ MATCH '\"\ue000kevent\"'"
            held += run(asked.replace("@", index)).scalar_one()
        mark = run("SELECT number FROM search_mark").scalar_one()
        rows = select(sa.func.count()).where(SEARCH.c.number <= mark, SEARCH.c.kind == "event")
        assert held == connection.execute(rows).scalar()


@pytest.mark.parametrize("revision", ["0001", "0009"])
def test_rows_of_an_earlier_release_are_found_after_the_upgrade(databases: Databases, revision: str) -> None:
    with at(databases, revision) as writer:
        fill(writer)

        migrate.upgrade(writer)

        kinds = {each.split()[0] for each in found(writer, "é")}
        assert kinds >= {"audit", "event", "message"}
        check(writer)
        command.downgrade(migrate.configuration(writer), "0009")
        with writer.connect() as connection:
            names = sa.inspect(connection).get_table_names()
        assert not [each for each in names if fulltext.is_derived(each)]
        written(writer, 1)  # no trigger is left behind
        migrate.upgrade(writer)
        assert found(writer, "unicorn") == ["event unicorn, warning"]


def test_rows_that_go_take_their_words_along_and_others_keep_theirs(databases: Databases) -> None:
    with databases.migrated() as url:
        writer = engine.writer(url)
        written(writer, 700)
        with writer.begin() as connection:
            gone = [f"unicorn-{number}" for number in range(700) if number % 3 == 0]
            connection.execute(delete(EventRow).where(sa.column("id").in_(gone)))
        check(writer)
        written(writer, 600, "pegasus")
        check(writer)

        assert len(found(writer, "unicorn")) == 466
        assert len(found(writer, "pegasus")) == 600
        with writer.begin() as connection:
            connection.execute(delete(EventRow))
        written(writer, 300)  # no number is used again, or these would not get into the index
        check(writer)
        assert len(found(writer, "unicorn")) == 300
        assert found(writer, "pegasus") == []
        writer.dispose()


def test_vacuum_moves_nothing(sqlite_url: str) -> None:
    writer = engine.writer(sqlite_url)
    written(writer, 300, "filler")
    written(writer, 300)
    with writer.begin() as connection:
        connection.execute(delete(EventRow).where(sa.column("event_type") == "filler"))
    with writer.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.cursor().execute("VACUUM")

    check(writer)
    assert found(writer, "unicorn") == ["event unicorn, warning"] * 300
    assert found(writer, "filler") == []
    writer.dispose()


def test_what_is_rolled_back_is_not_found(databases: Databases) -> None:
    with databases.migrated() as url:
        writer = engine.writer(url)
        with Session(writer) as session, session.begin():
            for number in range(400):
                unit = session.begin_nested()
                audit.record(session, "unicorn" if number % 2 else "pegasus", now=NOON)
                unit.commit() if number % 2 else unit.rollback()

        check(writer)
        assert len(found(writer, "unicorn")) == 200
        assert found(writer, "pegasus") == []
        writer.dispose()


def test_a_table_that_a_migration_replaces_keeps_its_triggers(sqlite_url: str) -> None:
    writer = engine.writer(sqlite_url)
    with engine.rebuilding(writer) as connection:
        context = MigrationContext.configure(connection)
        kept = Kept()
        kept.after_a_step(context)
        with Operations.context(context):
            operations = Operations(context)
            with operations.batch_alter_table("events", recreate="always") as table:
                table.add_column(sa.Column("something", sa.String(), nullable=True))
        kept.after_a_step(context)

    written(writer, 1)

    assert found(writer, "unicorn") == ["event unicorn, warning"]
    writer.dispose()


def numbered_from(writer: Engine, number: int) -> None:
    """Have the next row of the search take this number."""
    written(writer, 1, "filler")  # the table has no sequence before
    with writer.begin() as connection:
        run = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'search'"
        connection.exec_driver_sql(run, (number - 1,))


@pytest.mark.parametrize("blocks", [1, len(INDEXES) - 1, len(INDEXES), 1_000])
def test_rows_on_both_sides_of_a_block_are_found_newest_first_and_go(sqlite_url: str, blocks: int) -> None:
    writer = engine.writer(sqlite_url)
    written(writer, 300, "pegasus")
    numbered_from(writer, blocks * BLOCK - 200)
    written(writer, 700)
    check(writer)

    with Session(writer) as session, session.begin():
        query, cursor, keys = Query("unicorn"), None, []
        while True:
            page = search.find(session, query, actor=ADMIN, now=later(1), limit=90, cursor=cursor)
            keys += [hit.reference["event_id"] for hit in page.hits]
            if (cursor := page.next) is None:
                break
    assert keys == [f"unicorn-{number}" for number in reversed(range(700))]
    assert len(found(writer, "pegasus")) == 300

    with writer.begin() as connection:
        gone = [f"unicorn-{number}" for number in range(700) if number % 3]
        connection.execute(delete(EventRow).where(sa.column("id").in_(gone)))
    check(writer)
    assert len(found(writer, "unicorn")) == 234
    writer.dispose()


def test_the_words_are_found_in_one_index_and_in_many(sqlite_url: str) -> None:
    writer = engine.writer(sqlite_url)
    written(writer, 400, "pegasus")
    numbered_from(writer, 5 * BLOCK - 100)
    written(writer, 500)

    command.downgrade(migrate.configuration(writer), "0016")
    written(writer, 300)
    with writer.begin() as connection:
        connection.execute(delete(EventRow).where(sa.column("id") == "unicorn-0"))
        whole = "INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 0)"
        connection.exec_driver_sql(whole)
    migrate.upgrade(writer)

    check(writer)
    assert len(found(writer, "pegasus")) == 400
    assert len(found(writer, "unicorn")) == 499
    writer.dispose()

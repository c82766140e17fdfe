"""What is not moved, and what is found not to be what was moved."""

import pytest
from alembic import command
from sqlalchemy import insert, text

from controller.store import ledger, migrate, moving
from controller.store.tables import METADATA
from tests.controller.store.moving import odd
from tests.controller.store.moving.ends import Ends, a_user, change, quiet

TABLES = METADATA.tables


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE messages SET tokens_used = 4711 WHERE number = 2",
            "not every one of the 6 rows of messages",
        ),
        ("UPDATE messages SET content = content || ' ' WHERE number = 2", "the 6 rows of messages"),
        ("UPDATE messages SET tool_calls = NULL WHERE number = 2", "the 6 rows of messages"),
        (
            "UPDATE metrics SET at = '2026-02-12 12:00:00.000001+00' WHERE seconds = 1",
            "the 6 rows of metrics",
        ),
        ("DELETE FROM messages WHERE number = 2", "messages has 5 rows and not 6"),
        (
            "INSERT INTO users (username, role, added_by, added_at, password_once) "
            "SELECT 'mia', role, added_by, added_at, password_once FROM users LIMIT 1",
            "users has 7 rows and not 6",
        ),
    ],
)
def test_a_row_that_somebody_changed_in_the_target_is_found(ends: Ends, statement: str, said: str) -> None:
    copied = ends.copy()
    change(ends.target, text(statement))

    with pytest.raises(moving.Different, match=said):
        moving.check(ends.target, copied.entries, tell=quiet)


def test_a_target_with_rows_is_left_alone(ends: Ends) -> None:
    migrate.upgrade(ends.target)
    change(ends.target, insert(TABLES["users"]).values(a_user(1)))

    with pytest.raises(moving.NotEmpty, match="rows already, in users"):
        ends.copy()
    with ends.target.connect() as connection:
        assert not ledger.is_open(connection)


def test_a_target_with_tables_of_others_is_left_alone(ends: Ends) -> None:
    change(ends.target, text("CREATE TABLE theirs (x INTEGER)"))

    with pytest.raises(moving.NotEmpty, match="tables that Orion did not make"):
        ends.copy()


def test_an_older_schema_is_to_be_brought_up_to_date_first(ends: Ends) -> None:
    command.upgrade(migrate.configuration(ends.target), "0008")
    with pytest.raises(moving.OtherSchema, match=r"The target has the schema 0008.*orion db migrate"):
        ends.copy()
    with pytest.raises(moving.OtherSchema, match=r"that is to be moved has the schema 0008"):
        moving.check_source(ends.target)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{' WHERE created_at = (SELECT max(created_at) FROM events)",
        "UPDATE events SET created_at = 'noon' WHERE created_at = (SELECT max(created_at) FROM events)",
        "UPDATE events SET event_type = x'ff00' WHERE created_at = (SELECT max(created_at) FROM events)",
    ],
)
def test_a_row_that_is_damaged_is_said(to_server: Ends, statement: str) -> None:
    odd.fill(to_server.source)
    change(to_server.source, text(statement))

    with pytest.raises(moving.Damaged, match="A row of events is damaged"):
        to_server.copy()

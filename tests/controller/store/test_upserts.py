"""What may be there already is left as it is, and what is new is counted, on either database."""

from sqlmodel import Session, select

from controller.store import upserts
from controller.store.tables import METADATA, User
from tests.factories import NOON


def a_user(username: str, role: str = "viewer") -> dict[str, object]:
    return {"username": username, "role": role, "added_by": "ada", "added_at": NOON}


def test_only_what_is_new_is_added_and_counted(session: Session) -> None:
    users, connection = METADATA.tables["users"], session.connection()

    assert upserts.insert_new(connection, users, [a_user("ada"), a_user("bo")]) == 2
    assert upserts.insert_new(connection, users, [a_user("bo", "admin"), a_user("cy"), a_user("cy")]) == 1

    found = {row.username: row.role for row in session.exec(select(User))}
    assert found == dict.fromkeys(("ada", "bo", "cy"), "viewer")


def test_many_are_counted_too(session: Session) -> None:
    many = [a_user(f"user-{number}") for number in range(5_000)]
    connection = session.connection()

    assert upserts.insert_new(connection, METADATA.tables["users"], many[:3_000]) == 3_000
    assert upserts.insert_new(connection, METADATA.tables["users"], many) == 2_000


def test_a_row_is_added_or_made_the_same_but_for_what_is_kept(session: Session) -> None:
    users, connection = METADATA.tables["users"], session.connection()

    upserts.put(connection, users, a_user("ada"), key=("username",), keep=("added_by",))
    changed = a_user("ada", "admin") | {"added_by": "bo"}
    upserts.put(connection, users, changed, key=("username",), keep=("added_by",))

    (row,) = session.exec(select(User))
    assert (row.role, row.added_by) == ("admin", "ada")

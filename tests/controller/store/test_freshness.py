"""What was read of tables is kept until somebody here changes them, and for a moment at most."""

import pytest
from sqlalchemy import text
from sqlmodel import Session

from controller.errors import Conflict
from controller.services import devices, users
from controller.services.accounts import grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.users import UserRole
from controller.store.freshness import LONGEST, Kept
from controller.store.store import Store
from tests.factories import ADMIN, NOON, a_place


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(store: Store, clock: Clock) -> Kept[str, str]:
    return Kept(store.freshness, "users", "grants", clock=clock)


async def a_user(store: Store, name: str = "mia") -> None:
    await store.write(lambda session: users.add(session, name, UserRole.GUEST, actor=ADMIN, now=NOON))


async def test_an_answer_holds_until_one_of_its_tables_is_changed(store: Store, kept: Kept[str, str]) -> None:
    kept.keep(kept.stamp(), "who", "nobody")
    await store.write(lambda session: devices.add(session, a_place(), actor=ADMIN, now=NOON))
    assert kept.get("who") == "nobody"

    await a_user(store)

    assert kept.get("who") is None


async def test_an_answer_that_was_read_while_its_table_changed_is_not_kept(
    store: Store, kept: Kept[str, str]
) -> None:
    stamp = kept.stamp()
    await a_user(store)

    kept.keep(stamp, "who", "nobody")

    assert kept.get("who") is None


async def test_what_another_program_changes_is_seen_after_a_moment(
    store: Store, kept: Kept[str, str], clock: Clock
) -> None:
    kept.keep(kept.stamp(), "who", "nobody")

    clock.now += LONGEST
    assert kept.get("who") == "nobody"
    clock.now += 0.01
    assert kept.get("who") is None


async def test_what_goes_along_with_a_row_counts_as_changed(store: Store, kept: Kept[str, str]) -> None:
    await a_user(store)
    await store.write(lambda session: devices.add(session, a_place(), actor=ADMIN, now=NOON))
    give = Place(device_id="laptop")
    await store.write(lambda session: grants.give(session, "mia", give, Role.VIEWER, actor=ADMIN, now=NOON))
    kept.keep(kept.stamp(), "mia", "sees the laptop")

    await store.write(lambda session: devices.remove(session, "laptop", actor=ADMIN, now=NOON))

    assert kept.get("mia") is None
    assert await store.read(lambda session: grants.listed(session)) == []


async def test_a_change_is_counted_before_its_maker_goes_on(store: Store, kept: Kept[str, str]) -> None:
    for number in range(20):
        stamp = kept.stamp()
        await a_user(store, f"user-{number}")
        assert kept.stamp() > stamp


async def test_looking_changes_nothing(store: Store, kept: Kept[str, str]) -> None:
    await a_user(store)
    stamp = kept.stamp()

    await store.read(users.listed)
    await store.write(users.listed)

    assert kept.stamp() == stamp


async def test_a_change_that_was_taken_back_harms_nothing(store: Store, kept: Kept[str, str]) -> None:
    kept.keep(kept.stamp(), "who", "nobody")

    def undone(session: Session) -> None:
        users.add(session, "mia", UserRole.GUEST, actor=ADMIN, now=NOON)
        session.flush()
        raise Conflict("not today")

    with pytest.raises(Conflict):
        await store.write(undone)

    assert kept.get("who") in (None, "nobody")
    assert await store.read(users.listed) == []


async def test_a_statement_is_known_by_its_table_however_it_is_written(
    store: Store, kept: Kept[str, str]
) -> None:
    await a_user(store)
    for statement in (
        "update users set role = 'viewer'",
        'UPDATE "users" SET role = role',
        "DELETE FROM users WHERE username = 'nobody'",
        "INSERT INTO users (username, role, added_by, added_at, password_once) SELECT username || 'x', role, added_by, added_at, password_once FROM users",
    ):
        stamp = kept.stamp()
        await store.write(lambda session, said=statement: session.connection().execute(text(said)))  # type: ignore[misc]
        assert kept.stamp() > stamp


async def test_no_more_is_kept_than_may_be(store: Store, clock: Clock) -> None:
    kept: Kept[int, int] = Kept(store.freshness, "users", clock=clock, most=3)
    for number in range(10):
        kept.keep(kept.stamp(), number, number)

    assert sum(kept.get(number) is not None for number in range(10)) <= 3
    assert kept.get(9) == 9

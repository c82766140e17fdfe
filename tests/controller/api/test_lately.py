"""What many ask is looked up once, kept until it changes, and never told when it is old."""

import asyncio
from functools import partial

import pytest

from controller.api import lately
from controller.api.lately import Answer, Lately
from controller.services import devices, users
from controller.services.accounts import grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.users import UserRole
from controller.store.freshness import LONGEST
from controller.store.store import Store
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import OTHER, OWN, a_fleet, ordered, token_of
from tests.controller.api.people import as_somebody
from tests.factories import ADMIN, NOON, a_place


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Question:
    """Something that is looked up, and how often it was."""

    def __init__(self, size: int = 1) -> None:
        self.asked = 0
        self._size = size

    async def __call__(self) -> Answer:
        self.asked += 1
        return Answer(b"x" * self._size)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told(store: Store, clock: Clock) -> Lately:
    return Lately(store.freshness, clock)


async def test_an_answer_is_kept_until_its_tables_change(store: Store, told: Lately) -> None:
    question = Question()
    for _ in range(3):
        await told.told("k", question, tables=("devices",))
    await store.write(partial(users.add, username="mia", role=UserRole.GUEST, actor=ADMIN, now=NOON))
    await told.told("k", question, tables=("devices",))
    assert question.asked == 1

    await store.write(partial(devices.add, new=a_place(), actor=ADMIN, now=NOON))
    await told.told("k", question, tables=("devices",))
    assert question.asked == 2


async def test_what_another_program_changes_is_told_after_a_moment(told: Lately, clock: Clock) -> None:
    question = Question()
    await told.told("k", question, tables=("devices",))
    clock.now += LONGEST + 0.01
    await told.told("k", question, tables=("devices",))

    assert question.asked == 2


async def test_another_key_is_another_question(told: Lately) -> None:
    one, other = Question(), Question()
    await asyncio.gather(
        *(told.told(key, question, tables=("devices",)) for key, question in (("a", one), ("b", other)) * 3)
    )

    assert (one.asked, other.asked) == (1, 1)


async def test_a_large_answer_is_not_kept(told: Lately) -> None:
    question = Question(lately.LARGEST + 1)
    for _ in range(2):
        await told.told("k", question, tables=("devices",))

    assert question.asked == 2


async def test_who_changes_a_device_and_asks_is_told_of_it(api: Api) -> None:
    await a_fleet(api)
    for number in range(5):
        await api.http.patch(f"devices/{OWN}", json={"name": f"{number}"}, headers={"If-Match": "*"})
        listed = (await api.http.get("devices")).json()["items"]
        assert [each["name"] for each in listed if each["device_id"] == OWN] == [f"{number}"]


async def test_nobody_is_told_what_somebody_else_may_see(api: Api) -> None:
    await a_fleet(api)
    command_id = await ordered(api, OTHER)
    tokens = {name: await token_of(api, name) for name in ("anna", "vera", "kim")}
    for _ in range(2):
        for name, token in tokens.items():
            async with as_somebody(api, token) as client:
                listed = (await client.get("devices")).json()["items"]
                one = await client.get(f"commands/{command_id}")
            assert len(listed) == (1 if name == "kim" else 2)
            assert one.status_code == (404 if name == "kim" else 200)
            if name != "kim":
                assert (one.json()["arguments"] is None) == (name == "vera")


async def test_a_grant_that_is_given_counts_at_once(api: Api) -> None:
    await a_fleet(api)
    async with as_somebody(api, await token_of(api, "gus")) as gus:
        assert (await gus.get("devices")).json()["items"] == []
        give = partial(grants.give, username="gus", place=Place(device_id=OWN), role=Role.VIEWER)
        await api.store.write(partial(give, actor=ADMIN, now=NOON))
        assert [each["device_id"] for each in (await gus.get("devices")).json()["items"]] == [OWN]
        await api.store.write(
            partial(grants.take, username="gus", place=Place(device_id=OWN), actor=ADMIN, now=NOON)
        )
        assert (await gus.get("devices")).json()["items"] == []

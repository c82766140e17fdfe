"""How often somebody may ask: an address, a user, the owner, and the turns of the assistant."""

import pytest

from controller.api.access.addresses import subscriber
from controller.api.access.buckets import MOST_KEPT, PRIVILEGE, Buckets, Quota, TooOften
from controller.api.access.turns import MOST, MOST_OF_ONE, Turns
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.controller.api.surrounded import Hour, around


async def test_an_address_that_asks_too_often_waits_and_another_one_does_not() -> None:
    clock = Hour()
    async with around(clock, api_rate=1.0, api_burst=1) as client:
        answers = [await client.get("/here") for _ in range(PRIVILEGE + 1)]
        clock.at += 0.1
        later = await client.get("/here")
    assert [each.status_code for each in answers] == [200] * PRIVILEGE + [429]
    assert (answers[-1].json()["code"], answers[-1].headers["retry-after"]) == (ErrorCode.RATE_LIMITED, "1")
    assert later.status_code == 200


def test_a_bucket_fills_again_and_never_more_than_full() -> None:
    clock = Hour()
    buckets = Buckets(clock, rate=2.0, burst=3)

    assert [buckets.take("mia") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("max") == 0.0
    clock.at += 0.25
    assert buckets.take("mia") == pytest.approx(0.25)
    clock.at += 1_000.0
    assert [buckets.take("mia") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_without_a_rate_nobody_waits_and_nothing_is_kept() -> None:
    buckets = Buckets(Hour(), rate=0.0, burst=1)

    assert not any(buckets.take("mia") for _ in range(100))
    assert not buckets._buckets


def test_what_is_kept_of_who_asks_is_bounded() -> None:
    buckets = Buckets(Hour(), rate=1.0, burst=1)
    for number in range(MOST_KEPT + 10):
        buckets.take(str(number))

    assert len(buckets._buckets) == MOST_KEPT
    assert buckets.take(str(MOST_KEPT + 9)) > 0  # the latest ones are known


def test_the_owner_may_ask_more_often_than_a_user_and_neither_uses_up_the_others() -> None:
    quota = Quota(Hour(), rate=1.0, burst=2)

    for _ in range(2):
        quota.spend("mia")
    with pytest.raises(TooOften):
        quota.spend("mia")
    for _ in range(2 * PRIVILEGE):
        quota.spend(None)
    with pytest.raises(TooOften) as caught:
        quota.spend(None)
    assert caught.value.retry_after == 1


async def test_a_user_who_asks_too_often_is_told_when_to_come_back(api: Api) -> None:
    api.app.state.parts.quota._of_owner = Buckets(Hour(), rate=1.0, burst=1)

    first, second = await api.http.get("auth/me"), await api.http.get("auth/me")

    assert (first.status_code, second.status_code) == (200, 429)
    assert (second.json()["code"], second.headers["retry-after"]) == (ErrorCode.RATE_LIMITED, "1")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_network_is_one_address(address: str, counted: str) -> None:
    assert subscriber(address) == counted


def test_turns_are_bounded_for_one_user_and_for_all() -> None:
    turns = Turns()
    for _ in range(MOST_OF_ONE):
        turns.begin("mia")
    with pytest.raises(TooOften):
        turns.begin("mia")
    turns.begin("max")
    turns.end("mia")
    turns.begin("mia")
    for number in range(MOST - MOST_OF_ONE - 1):
        turns.begin(str(number))
    with pytest.raises(TooOften):
        turns.begin("somebody else")
    turns.end("max")
    turns.begin("somebody else")


async def test_who_has_enough_turns_at_work_is_told_to_come_back(api: Api) -> None:
    turns = api.app.state.parts.turns
    for _ in range(MOST_OF_ONE):
        turns.begin("admin")

    full = await api.http.post("ask", json={"text": "hello"})
    turns.end("admin")
    free = await api.http.post("ask", json={"text": "hello"})

    assert (full.status_code, full.json()["code"]) == (429, ErrorCode.RATE_LIMITED)
    assert int(full.headers["retry-after"]) > 0
    assert free.status_code == 200
    assert turns._running["admin"] == MOST_OF_ONE - 1  # a turn that is over counts no more

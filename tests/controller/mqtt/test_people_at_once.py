"""How many of a burst of requests get a turn or a place, however they arrive."""

from datetime import timedelta
from typing import cast

from controller.assistant.chat import Assistant
from controller.mqtt.people import TURNS_OF_ONE, WAITING_OF_ONE, People
from controller.store.notices import RequestTaken
from controller.store.store import Store
from schemas.assistant import Request
from tests.factories import NOON


def asked(number: int, username: str = "mia") -> RequestTaken:
    request = Request(id=f"r{number}", text="?", at=NOON, expires_at=NOON + timedelta(minutes=1))
    return RequestTaken(username, request)


async def test_a_burst_that_is_heard_in_one_breath_has_its_turns_and_its_places(store: Store) -> None:
    people = People(store, cast("Assistant", None))  # no turn begins in this test

    for number in range(TURNS_OF_ONE + WAITING_OF_ONE + 2):
        people.hear(asked(number))

    assert [taken.request.id for taken in people._waiting] == [f"r{number}" for number in range(6)]
    assert [taken.request.id for taken in people._refused] == ["r6", "r7"]


async def test_others_are_not_refused_for_it(store: Store) -> None:
    people = People(store, cast("Assistant", None))
    for number in range(20):
        people.hear(asked(number))

    people.hear(asked(1, "otto"))

    assert people._waiting[-1].username == "otto"

"""That a broker took a command is noted, unless its device has said more by then."""

import pytest
from sqlmodel import Session

from controller.mqtt.notes import Notes
from controller.services import commands, devices
from controller.services.orders import Status
from controller.store.store import Store
from schemas.topics import Kind
from tests.controller.mqtt.door import Door
from tests.controller.mqtt.peer import Peer
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_reply, a_request, later


@pytest.fixture
async def sent(store: Store) -> list[str]:
    """Three commands of a device that is online, let go and not noted as sent."""

    def work(session: Session) -> list[str]:
        devices.add(session, a_place(), actor=ADMIN, now=NOON)
        devices.store_profile(session, "laptop", a_profile(), now=NOON)
        devices.store_presence(session, "laptop", a_presence(), now=NOON)
        return [commands.submit(session, a_request(), actor=ADMIN, now=NOON).id for _ in range(3)]

    return await store.write(work)


async def test_what_the_broker_took_is_noted_together(store: Store, sent: list[str]) -> None:
    notes = Notes(store, lambda: later(1))
    for number, each in enumerate(sent, 1):
        notes.add(each, number)

    notes.write()

    rows = await store.write(lambda session: [commands.get(session, each) for each in sent])
    assert [(row.status, row.attempt, row.published_at) for row in rows] == [
        (Status.SENT, attempt, later(1)) for attempt in (1, 2, 3)
    ]


async def test_what_was_answered_meanwhile_is_not_noted(store: Store, sent: list[str]) -> None:
    notes = Notes(store, lambda: later(1))
    for each in sent:
        notes.add(each, 1)
    notes.drop(sent[1])

    notes.write()

    rows = await store.write(lambda session: [commands.get(session, each) for each in sent])
    assert [row.status for row in rows] == [Status.SENT, Status.QUEUED, Status.SENT]


async def test_a_command_that_was_answered_at_once_is_known_to_have_been_published(
    door: Door, laptop: Peer
) -> None:
    row = await door.submit(a_request())
    await laptop.heard("/command")
    await laptop.say(Kind.REPLY, a_reply(row.id))

    ended = await door.until_status(row.id, Status.SUCCEEDED)

    assert ended.attempt == 1
    assert ended.published_at is not None


async def test_a_command_that_nobody_answers_is_noted_by_itself(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request())
    await laptop.heard("/command")

    noted = await door.until_status(row.id, Status.SENT)

    assert noted.attempt == 1

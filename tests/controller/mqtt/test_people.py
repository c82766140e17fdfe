"""The door for people: whom it hears, what it keeps when something dies, and in which order it speaks."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from sqlmodel import Session, select

from broker.identities import Local
from broker.rights import Role
from controller.services import mqtt_inputs, users
from controller.services.users import UserRole
from controller.store.store import Store
from controller.store.tables import MqttInput, MqttResponse
from schemas.assistant import Request, Response
from schemas.topics import Kind
from tests.controller.mqtt.door import Door, reconnect, until
from tests.controller.mqtt.peer import Peer, peer
from tests.controller.mqtt.test_inbox import _until_refused
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN


@pytest.fixture
async def mia(door: Door) -> AsyncIterator[Peer]:
    """An operator who listens to the answers."""
    administration = Local(door.broker.identities, door.broker.controller)
    password = await administration.add_user("mia", Role.OPERATOR)
    await door.store.write(
        lambda session: users.add(session, "mia", UserRole.OPERATOR, actor=ADMIN, now=door.clock.now())
    )
    endpoint = door.broker.endpoint("mia", password)
    async with peer(endpoint, door.topics, [door.topics.user("mia", Kind.RESPONSE)]) as found:
        yield found


async def ask(door: Door, who: Peer, request_id: str = "r1", *, retain: bool = False) -> None:
    """Ask for something in the name of whoever it is."""
    request = Request(id=request_id, text="which devices are there?", at=door.clock.now())
    topic = door.topics.user(who.device_id, Kind.REQUEST)
    await who.client.publish(topic, request.encode(), qos=1, retain=retain)


async def inputs(door: Door) -> list[str]:
    def find(session: Session) -> list[str]:
        return sorted(session.exec(select(MqttInput.id)))

    return await door.store.read(find)


async def taken(door: Door, *wanted: str) -> None:
    async def there() -> bool:
        return await inputs(door) == sorted(wanted)

    await until(there)


async def say(door: Door, *kinds: str) -> None:
    """Answer `r1`, as a turn would."""

    def work(session: Session) -> None:
        for kind in kinds:
            response = Response.model_validate(
                {"request_id": "r1", "seq": 0, "type": kind, "at": door.clock.now()}
            )
            mqtt_inputs.say(session, "mia", response, now=door.clock.now())

    await door.store.write(work)


async def heard(who: Peer) -> tuple[int, str]:
    response = (await who.heard("/response")).json
    return response["seq"], response["type"]


async def forgotten(door: Door) -> None:
    """Until the broker has everything."""

    def none_left(session: Session) -> bool:
        return session.exec(select(MqttResponse)).first() is None

    async def gone() -> bool:
        return await door.store.read(none_left)

    await until(gone)


async def test_who_has_no_place_here_is_dropped_and_counted(door: Door, mia: Peer) -> None:
    await door.store.write(lambda session: users.remove(session, "mia", actor=ADMIN, now=door.clock.now()))
    await ask(door, mia)

    async def counted() -> bool:
        return door.complaints.counts["mia"] == 1

    await until(counted)
    assert await inputs(door) == []


async def test_a_retained_request_is_dropped_and_counted(door: Door, mia: Peer) -> None:
    await ask(door, mia, "kept", retain=True)
    await ask(door, mia, "r1")

    await taken(door, "r1")
    assert door.complaints.counts["mia"] == 1


async def test_a_retained_request_from_before_is_not_heard_at_a_connect(door: Door, mia: Peer) -> None:
    await ask(door, mia, "kept", retain=True)
    await reconnect(door)
    await ask(door, mia, "r1")

    await taken(door, "r1")
    assert door.complaints.counts["mia"] == 1


async def test_what_was_not_stored_when_the_connection_died_comes_again(
    door: Door, mia: Peer, store: Store
) -> None:
    await asyncio.to_thread(set_read_only, store, "ON")
    await ask(door, mia)
    await _until_refused()

    session = door.link._session
    assert session is not None
    await session.close(keep_will=True)
    await asyncio.to_thread(set_read_only, store, "OFF")

    await taken(door, "r1")


async def test_far_too_many_are_not_even_written_down(door: Door, mia: Peer) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(ask(door, mia, f"r{number}"))

    async def dropped() -> bool:
        return door.complaints.counts["mia"] == 40 and len(await inputs(door)) == 60

    await until(dropped)
    codes = [(await mia.heard("/response")).json["error"]["code"] for _ in range(50)]
    assert set(codes) == {"rate_limited"}


async def test_responses_are_said_in_order_and_then_forgotten(door: Door, mia: Peer) -> None:
    await ask(door, mia)
    await taken(door, "r1")

    await say(door, "tool_call", "tool_result")
    await say(door, "final")

    assert [await heard(mia) for _ in range(3)] == [(0, "tool_call"), (1, "tool_result"), (2, "final")]
    await forgotten(door)


async def test_what_was_said_while_the_broker_was_away_is_said_when_it_is_back(door: Door, mia: Peer) -> None:
    await ask(door, mia)
    await taken(door, "r1")
    await say(door, "tool_call")
    assert await heard(mia) == (0, "tool_call")
    await forgotten(door)

    session = door.link._session
    assert session is not None
    await session.close(keep_will=True)
    await say(door, "tool_result", "final")

    assert [await heard(mia) for _ in range(2)] == [(1, "tool_result"), (2, "final")]
    assert mia.waiting("/response") == 0


async def test_a_response_the_broker_may_have_had_is_said_again_word_for_word(
    door: Door, mia: Peer, store: Store
) -> None:
    await ask(door, mia)
    await taken(door, "r1")
    rows: list[bytes] = []

    await say(door, "tool_call")
    rows.append((await mia.heard("/response")).payload)
    await say(door, "final")
    rows.append((await mia.heard("/response")).payload)
    await forgotten(door)

    def put_back(session: Session) -> None:  # as if the controller had died before it crossed it off
        session.add(MqttResponse(username="mia", request_id="r1", seq=1, payload=rows[1].decode()))

    await store.write(put_back)
    await reconnect(door)

    assert (await mia.heard("/response")).payload == rows[1]
    assert json.loads(rows[1])["seq"] == 1

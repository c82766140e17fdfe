"""What is filed together fails alone, and what the store cannot take now is given again."""

import asyncio
from typing import Any

import pytest
from sqlmodel import Session

from controller.mqtt import filing, letters
from controller.mqtt.complaints import Complaints
from controller.mqtt.filing import Filing
from controller.mqtt.routes import ROUTES, Arrived, Receipt, Route
from controller.services import devices
from controller.store.store import Store
from schemas.errors import ErrorCode
from schemas.topics import Kind
from tests.controller.mqtt.door import stored
from tests.controller.store.read_only import set_read_only
from tests.databases import refuse_events
from tests.factories import ADMIN, NOON, a_place, a_profile, an_event

MESSAGES = [f"e{number:02}" for number in range(40)]


def refuse(session: Session, *event_ids: str) -> None:
    """Let the database have events that it will never take."""
    named = ", ".join(f"'{event_id}'" for event_id in event_ids)
    refuse_events(session, f"NEW.id IN ({named})")


def happenings(*event_ids: str, device_id: str = "laptop") -> list[filing.Unit]:
    route = ROUTES[Kind.EVENT]
    return filing.units((route, Arrived(device_id, an_event(each), NOON)) for each in event_ids)


@pytest.fixture
async def placed(store: Store) -> Store:
    """A store in which one device has its place."""
    await store.write(lambda session: devices.add(session, a_place(), actor=ADMIN, now=NOON))
    return store


@pytest.mark.parametrize("bad", [("e00",), ("e39",), ("e07", "e08", "e31")])
async def test_an_event_that_cannot_be_stored_takes_no_other_with_it(
    placed: Store, bad: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    await placed.write(lambda session: refuse(session, *bad))

    receipts = await Filing(placed, Complaints()).file(happenings(*MESSAGES))

    good = [each for each in MESSAGES if each not in bad]
    assert sorted(receipt.event or "" for receipt in receipts) == good
    assert await placed.read(stored) == good
    assert caplog.text.count("A message of laptop could not be handled") == len(bad)


async def test_other_kinds_do_not_fall_with_an_event_of_their_batch(placed: Store) -> None:
    await placed.write(lambda session: refuse(session, "e1"))
    event, profile = ROUTES[Kind.EVENT], ROUTES[Kind.PROFILE]
    batch: list[tuple[Route[Any], Arrived[Any]]] = [
        (event, Arrived("laptop", an_event("e0"), NOON)),
        (profile, Arrived("laptop", a_profile(), NOON)),
        (event, Arrived("laptop", an_event("e1"), NOON)),
        (profile, Arrived("laptop", a_profile("printer"), NOON)),
    ]
    complaints = Complaints()

    receipts = await Filing(placed, complaints).file(filing.units(batch))

    assert receipts == [Receipt("laptop", event="e0")]
    assert (await placed.read(lambda session: devices.get(session, "laptop"))).profile is not None
    assert complaints.counts == {"laptop": 1}


async def test_what_the_store_cannot_take_now_is_given_until_it_is_in(placed: Store) -> None:
    await asyncio.to_thread(set_read_only, placed, "ON")
    waiting = asyncio.create_task(Filing(placed, Complaints()).file(happenings(*MESSAGES)))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asyncio.shield(waiting)

    await asyncio.to_thread(set_read_only, placed, "OFF")

    assert len(await waiting) == len(MESSAGES)
    assert await placed.read(stored) == MESSAGES


async def test_events_of_strangers_are_refused_beside_those_that_are_kept(placed: Store) -> None:
    units = [*happenings("e1"), *happenings("e2", device_id="stranger")]

    receipts = await Filing(placed, Complaints()).file(units)

    assert receipts == [
        Receipt("laptop", event="e1"),
        Receipt("stranger", refused=("e2", ErrorCode.UNKNOWN_DEVICE)),
    ]
    assert await placed.read(stored) == ["e1"]


def test_a_device_gets_one_ack_for_a_batch_and_each_id_once() -> None:
    receipts = [Receipt("laptop", event="e1"), Receipt("printer", reply="c1"), Receipt("laptop", event="e1")]

    acks = letters.acks([*receipts, Receipt("laptop", reply="c2")], now=NOON)

    assert [(device_id, ack.events, ack.replies) for device_id, ack in acks] == [
        ("laptop", ["e1"], ["c2"]),
        ("printer", None, ["c1"]),
    ]


def test_an_ack_stays_small_however_many_it_names() -> None:
    ids = [f"{number:04}".ljust(64, "\x01") for number in range(1_000)]
    receipts = [Receipt("laptop", event=each) for each in ids]
    receipts += [Receipt("laptop", refused=(each, ErrorCode.UNKNOWN_DEVICE)) for each in ids]

    acks = letters.acks(receipts, now=NOON)

    assert max(len(ack.encode()) for _, ack in acks) < 64 * 1024
    assert [each for _, ack in acks for each in ack.events or ()] == ids
    assert [each.id for _, ack in acks for each in ack.refused or ()] == ids

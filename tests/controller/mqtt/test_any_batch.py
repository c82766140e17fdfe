"""Whatever comes in whatever order, each event that can be stored is, once, and is over if another says so."""

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from controller.mqtt import filing
from controller.mqtt.complaints import Complaints
from controller.mqtt.filing import Filing
from controller.mqtt.routes import ROUTES, Arrived, Receipt
from controller.services import devices
from controller.store.store import Store
from controller.store.tables import EventRow
from schemas.errors import ErrorCode
from schemas.topics import Kind
from tests.databases import refuse_events
from tests.factories import ADMIN, NOON, a_place, an_event

PLACED, STRANGER = ("laptop", "printer"), "stranger"

NAMES = [f"{number}{kind}" for number in range(6) for kind in ("", "-bad")]
said = st.tuples(st.sampled_from([*PLACED, STRANGER]), st.sampled_from(NAMES))
batches = st.lists(st.lists(said, max_size=12), min_size=1, max_size=4)
# an event that comes again says the same again
ends_of = st.fixed_dictionaries(
    {name: st.none() | st.sampled_from([f"{number}" for number in range(6)]) for name in NAMES}
)


def prepare(session: Session) -> None:
    for device_id in PLACED:
        devices.add(session, a_place(device_id), actor=ADMIN, now=NOON)
    refuse_events(session, "NEW.id LIKE '%bad'")


def test_any_batches_leave_what_can_be_stored_and_nothing_else(database_url: str) -> None:
    lives = itertools.count()
    store = Store(database_url)
    store.open()

    @given(batches, ends_of)
    @settings(max_examples=60, deadline=None)
    def whatever(wanted: list[list[tuple[str, str]]], ends: dict[str, str | None]) -> None:
        life = f"{next(lives)}/"  # each example speaks of events of its own
        told = [[(device_id, name, ends[name]) for device_id, name in batch] for batch in wanted]
        runner.run(file_all(store, told, life))

    with asyncio.Runner() as runner:
        try:
            runner.run(store.write(prepare))
            whatever()
        finally:
            store.close()


async def file_all(store: Store, wanted: list[list[tuple[str, str, str | None]]], life: str) -> None:
    desk = Filing(store, Complaints())
    kept: dict[tuple[str, str], str | None] = {}  # and what each says is over
    for batch in wanted:
        route = ROUTES[Kind.EVENT]
        arrived = [
            Arrived(device_id, an_event(life + name, resolves=ends and life + ends), NOON)
            for device_id, name, ends in batch
        ]
        receipts = await desk.file(filing.units((route, each) for each in arrived))

        good = [each for each in batch if not each[1].endswith("bad")]
        expected = {
            Receipt(device_id, refused=(life + name, ErrorCode.UNKNOWN_DEVICE))
            for device_id, name, _ in batch
            if device_id == STRANGER
        } | {Receipt(device_id, event=life + name) for device_id, name, _ in good if device_id != STRANGER}
        assert set(receipts) == expected
        for device_id, name, ends in good:
            if device_id != STRANGER:
                kept.setdefault((device_id, life + name), ends and life + ends)

    def stored(session: Session) -> list[EventRow]:
        return list(session.exec(select(EventRow).where(col(EventRow.id).startswith(life))))

    rows = await store.read(stored)
    assert sorted((row.device_id, row.id) for row in rows) == sorted(kept)
    over = {(device_id, ends) for (device_id, _), ends in kept.items() if ends is not None}
    assert {(row.device_id, row.id) for row in rows if row.resolved} == over & kept.keys()

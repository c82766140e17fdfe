"""An event is stored once, for its own device, and the newest come first."""

import pytest
from sqlmodel import Session

from controller.services import audit, devices, events
from controller.store.tables import Device, EventRow
from tests.factories import ADMIN, NOON, a_place, an_event, later
from tests.plans import explained


def test_an_event_is_stored_once_however_often_it_comes(session: Session, laptop: Device) -> None:
    assert events.store(session, "laptop", an_event(data={"percent": 91}), now=NOON)
    session.flush()
    assert not events.store(session, "laptop", an_event(data={"percent": 99}), now=later(1))

    (row,) = events.recent(session)
    assert (row.data, row.received_at) == ({"percent": 91}, NOON)


def test_an_event_is_its_own_record_and_leaves_no_line_in_the_audit(session: Session, laptop: Device) -> None:
    before = len(audit.entries(session))

    events.store(session, "laptop", an_event(), now=NOON)

    assert len(audit.entries(session)) == before


def test_two_devices_may_use_the_same_event_id(session: Session, laptop: Device) -> None:
    devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)

    assert events.store(session, "laptop", an_event(), now=NOON)
    assert events.store(session, "printer", an_event(), now=NOON)

    assert len(events.recent(session)) == 2
    assert [row.device_id for row in events.recent(session, device_id="printer")] == ["printer"]


def test_an_event_resolves_an_earlier_one_of_its_own_device_only(session: Session, laptop: Device) -> None:
    devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)
    events.store(session, "laptop", an_event("full"), now=NOON)

    events.store(session, "printer", an_event("clear", resolves="full"), now=later(1))
    row = session.get(EventRow, ("full", "laptop"))
    assert row is not None
    assert not row.resolved

    events.store(session, "laptop", an_event("clear", resolves="full"), now=later(2))
    events.store(session, "laptop", an_event("again", resolves="full"), now=later(3))
    events.store(session, "laptop", an_event("what", resolves="nothing"), now=later(3))
    session.refresh(row)
    assert (row.resolved, row.resolved_at) == (True, later(2))


def test_an_event_that_was_resolved_before_it_came_is_over_as_it_comes(
    session: Session, laptop: Device
) -> None:
    devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)
    events.store(session, "laptop", an_event("clear", resolves="full"), now=NOON)

    events.store(session, "printer", an_event("full"), now=later(1))
    events.store(session, "laptop", an_event("full"), now=later(2))

    (over,) = [row for row in events.recent(session) if row.resolved]
    assert (over.id, over.device_id, over.resolved_at) == ("full", "laptop", later(2))


def test_many_events_are_stored_at_once_each_of_its_device(session: Session, laptop: Device) -> None:
    events.store(session, "laptop", an_event("known"), now=NOON)
    arrivals = [
        events.Arrival("laptop", an_event("full"), later(1)),
        events.Arrival("laptop", an_event("known", severity="critical"), later(1)),
        events.Arrival("printer", an_event("full"), later(1)),
        events.Arrival("laptop", an_event("full", type="said twice"), later(1)),
        events.Arrival("laptop", an_event("clear", resolves="full"), later(1)),
    ]

    assert events.store_all(session, arrivals) == 3

    kept = {(row.device_id, row.id): row for row in events.recent(session)}
    assert sorted(kept) == [("laptop", "clear"), ("laptop", "full"), ("laptop", "known"), ("printer", "full")]
    assert kept["laptop", "known"].severity == "warning"
    assert kept["laptop", "full"].event_type == "low_disk_space"
    assert {key for key, row in kept.items() if row.resolved} == {("laptop", "full")}
    assert kept["laptop", "full"].resolved_at == later(1)
    assert events.store_all(session, arrivals) == 0
    assert events.store_all(session, []) == 0


def test_the_newest_events_come_first_and_are_limited(session: Session, laptop: Device) -> None:
    for number in range(5):
        events.store(session, "laptop", an_event(f"{number}"), now=later(number))

    assert [row.id for row in events.recent(session, limit=2)] == ["4", "3"]


@pytest.mark.parametrize("device_id", [None, "laptop"])
def test_the_newest_events_are_found_without_reading_all(session: Session, device_id: str | None) -> None:
    plan = explained(session, lambda: events.recent(session, device_id=device_id), table="events")

    assert plan.by_index
    assert not plan.sorts

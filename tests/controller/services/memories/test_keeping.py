"""A key holds one thing that can be kept, for as long as it is said to, and every change is audited."""

import json
from typing import Any

import pytest
from sqlmodel import Session, select

from controller.errors import Conflict, InvalidArguments, UnknownMemory
from controller.services import audit, devices, memories
from controller.services.memories import MAX_ROWS, MAX_VALUE, Place, Scope, Source
from controller.store.tables import Device, MemoryRow
from tests.controller.services.memories.kept import EVERYBODY, a_memory, found, keep, value
from tests.factories import ADMIN, NOON, OPERATOR, later


def test_a_key_holds_one_thing_and_keeps_when_it_began(session: Session) -> None:
    first = keep(session, a_memory(tags=("storage", "storage")))
    started, first_id = first.created_at, first.id
    second = keep(session, a_memory(value={"room": "attic"}), seconds=30)

    assert (second.id, second.created_at, second.updated_at) == (first_id, started, later(30))
    assert value(session) == {"room": "attic"}
    assert len(session.exec(select(MemoryRow)).all()) == 1


@pytest.mark.parametrize("what", ["text", 7, 1.5, True, [1, "a"], {"a": None}, 'é 😀 \\ " %_'])
def test_any_json_comes_back_as_it_was(session: Session, what: Any) -> None:
    keep(session, a_memory(value=what))

    assert value(session) == what


def test_the_same_key_is_another_thing_elsewhere(session: Session, laptop: Device) -> None:
    places = (memories.own(OPERATOR), memories.own(ADMIN), EVERYBODY, Place(Scope.DEVICE, "laptop"))
    for place in places:
        keep(session, a_memory(value=place.scope.value + place.owner, place=place), actor=ADMIN)

    assert [value(session, place=place, actor=ADMIN) for place in places] == [
        "userotto", "userada", "global", "devicelaptop",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"key": ""},
        {"key": "-nas"},
        {"key": "nas\n"},
        {"key": "nas "},
        {"key": "n" * 201},
        {"value": None},
        {"value": float("nan")},
        {"value": "a\x00b"},
        {"value": "\ud800"},
        {"value": "x" * MAX_VALUE},
        {"tags": ("",)},
        {"tags": ("x" * 65,)},
        {"tags": tuple(map(str, range(17)))},
        {"category": "\ud800"},
        {"expires_at": NOON},
    ],
)
def test_what_cannot_be_kept_is_refused(session: Session, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        keep(session, a_memory(**fields))


def test_an_owner_has_so_many_and_no_more_until_some_are_over(session: Session) -> None:
    for number in range(MAX_ROWS):
        keep(session, a_memory(f"key-{number}", expires_at=later(10) if number == 0 else None))

    keep(session, a_memory("key-1", "changed"))
    with pytest.raises(Conflict):
        keep(session, a_memory("one-more"))
    keep(session, a_memory("one-more"), seconds=20)
    keep(session, a_memory("everybodys", place=EVERYBODY))


def test_what_has_expired_is_nowhere_and_is_removed_when_asked(session: Session) -> None:
    keep(session, a_memory(expires_at=later(10)))
    keep(session, a_memory("other"))

    assert not memories.expired(session, later(9))
    assert memories.expired(session, later(10))
    with pytest.raises(UnknownMemory):
        value(session)
    assert found(session, "cupboard") == ["other"]
    assert [row.key for row in memories.listed(session, actor=OPERATOR, now=later(10))] == ["other"]
    assert memories.drop_expired(session, later(10)) == 1
    assert [row.key for row in session.exec(select(MemoryRow))] == ["other"]


def test_a_key_that_has_expired_begins_anew(session: Session) -> None:
    keep(session, a_memory(expires_at=later(10), source=Source.PERSON))
    row = keep(session, a_memory(value="a device says so", source=Source.DEVICE), seconds=20)

    assert (row.created_at, row.expires_at, row.source) == (later(20), None, "device")


def test_the_expired_are_removed_so_many_at_a_time(session: Session) -> None:
    for number in range(5):
        keep(session, a_memory(f"key-{number}", expires_at=later(10)))

    assert [memories.drop_expired(session, later(10), limit=3) for _ in range(3)] == [3, 2, 0]


def test_a_removed_device_takes_what_is_known_of_it_along(session: Session, laptop: Device) -> None:
    keep(session, a_memory(place=Place(Scope.DEVICE, "laptop")))
    devices.remove(session, "laptop", actor=ADMIN, now=NOON)
    session.flush()
    session.expire_all()

    assert session.exec(select(MemoryRow)).all() == []


def test_everything_is_audited_without_the_value(session: Session) -> None:
    keep(session, a_memory(value="the code is 4711"))
    keep(session, a_memory(value="the code is 4712", expires_at=later(5)))
    memories.drop_expired(session, later(6))
    keep(session, a_memory(value="the code is 4713"), seconds=7)
    memories.forget(session, "nas", memories.own(OPERATOR), actor=OPERATOR, now=later(8))

    entries = audit.entries(session)
    assert [each.action for each in reversed(entries)] == [
        "memory.set", "memory.changed", "memory.expired", "memory.set", "memory.forgotten",
    ]  # fmt: skip
    assert entries[0].detail == {"key": "nas", "scope": "user", "owner": "otto", "source": "person"}
    assert "471" not in json.dumps([each.detail for each in entries])

"""What is remembered: one live row a key, seen by whom it is for, never trusted more than who said it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from controller.errors import (
    Conflict,
    InvalidArguments,
    Refused,
    UnknownDevice,
    UnknownMemory,
    UnknownSession,
)
from controller.services import audit, conversations, devices, memories
from controller.services.actors import Actor, Role
from controller.services.memories import MAX_ROWS, MAX_VALUE, NewMemory, Place, Scope, Source
from controller.store.tables import Device, MemoryRow
from schemas.commands import Via
from tests.factories import ADMIN, NOON, OPERATOR, VIEWER, later

EVERYBODY = Place(Scope.GLOBAL)
BY_MQTT = Actor(OPERATOR.user, Role.OPERATOR, Via.MQTT)


def a_memory(key: str = "nas", value: Any = "in the cupboard", **fields: Any) -> NewMemory:
    place = fields.pop("place", memories.own(OPERATOR))
    return NewMemory(key, value, place, **fields)


def keep(session: Session, new: NewMemory, actor: Actor = OPERATOR, seconds: float = 0.0) -> MemoryRow:
    return memories.remember(session, new, actor=actor, now=later(seconds))


def found(session: Session, text: str, actor: Actor = OPERATOR, **more: Any) -> list[str]:
    return [row.key for row in memories.search(session, text, actor=actor, now=later(60), **more)]


def value(session: Session, key: str = "nas", place: Place | None = None, actor: Actor = OPERATOR) -> Any:
    return memories.get(session, key, place or memories.own(OPERATOR), actor=actor, now=later(60)).value


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


def test_a_user_sees_what_is_global_their_own_and_of_devices(session: Session, laptop: Device) -> None:
    keep(session, a_memory("mine"))
    keep(session, a_memory("hers", place=memories.own(VIEWER)), actor=ADMIN)
    keep(session, a_memory("everybodys", place=EVERYBODY))
    keep(session, a_memory("its", place=Place(Scope.DEVICE, "laptop")))

    shown = {row.key for row in memories.listed(session, actor=OPERATOR, now=NOON)}
    assert shown == {"mine", "everybodys", "its"}
    assert set(found(session, "cupboard")) == shown
    with pytest.raises(UnknownMemory):
        memories.get(session, "hers", memories.own(VIEWER), actor=OPERATOR, now=NOON)
    assert memories.listed(session, actor=OPERATOR, now=NOON, place=memories.own(VIEWER)) == []
    assert found(session, "cupboard", place=memories.own(VIEWER)) == []


def test_a_key_that_is_looked_for_in_vain_is_named_where_its_user_may_see_it(
    session: Session, laptop: Device
) -> None:
    talk, hers = (conversations.begin(session, actor=actor, now=NOON).id for actor in (OPERATOR, VIEWER))
    for seconds, place in enumerate((EVERYBODY, Place(Scope.SESSION, talk), Place(Scope.DEVICE, "laptop"))):
        keep(session, a_memory("known", place=place), seconds=seconds)
    for place in (memories.own(VIEWER), Place(Scope.SESSION, hers)):
        keep(session, a_memory("hers", place=place), actor=ADMIN)
    keep(session, a_memory("over", place=EVERYBODY, expires_at=later(10)))

    assert in_vain(session, "known") == (
        f"Nothing is remembered as 'known' there, but of the device laptop (--device laptop) "
        f"and in the conversation {talk} (--session {talk}) and for everybody (--global)."
    )
    assert "for the user vera (--user vera)" in in_vain(session, "hers", actor=ADMIN)
    for key in ("hers", "over"):
        assert in_vain(session, key) == f"Nothing is remembered as {key!r}. See what is: orion memory list"


def in_vain(session: Session, key: str, actor: Actor = OPERATOR) -> str:
    """What somebody is told who looks for a key of their own."""
    with pytest.raises(UnknownMemory) as raised:
        memories.get(session, key, memories.own(actor), actor=actor, now=later(60))
    return str(raised.value)


@pytest.mark.parametrize(
    ("place", "actor", "error"),
    [
        (memories.own(ADMIN), OPERATOR, Refused),
        (EVERYBODY, VIEWER, Refused),
        (EVERYBODY, BY_MQTT, Refused),
        (Place(Scope.DEVICE, "nowhere"), ADMIN, UnknownDevice),
        (Place(Scope.SESSION, "nowhere"), ADMIN, UnknownSession),
        (Place(Scope.USER), ADMIN, InvalidArguments),
        (Place(Scope.GLOBAL, "ada"), ADMIN, InvalidArguments),
    ],
)
def test_nobody_keeps_things_where_they_may_not(
    session: Session, place: Place, actor: Actor, error: type[Exception]
) -> None:
    with pytest.raises(error):
        keep(session, a_memory(place=place), actor=actor)

    assert session.exec(select(MemoryRow)).all() == []


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nas", ["nas-place"]),
        ("NAS cupboard", ["nas-place"]),
        ("cupboard attic", []),
        ("café", ["drinks"]),
        ("CAFÉ", ["drinks"]),
        ("50%", ["drinks"]),
        ("5_%", []),
        ('"so"', ["drinks"]),
        ("storage", ["nas-place"]),
        ("", []),
    ],
)
def test_a_search_finds_what_holds_every_word(session: Session, text: str, expected: list[str]) -> None:
    keep(session, a_memory("nas-place", "In the meter Cupboard", tags=("storage",)))
    keep(session, a_memory("drinks", {"where": 'Café "so" 50%'}))

    assert found(session, text) == expected


def test_the_latest_is_shown_first(session: Session) -> None:
    for seconds, key in enumerate(("one", "two", "three")):
        keep(session, a_memory(key), seconds=seconds)

    assert found(session, "cupboard", limit=2) == ["three", "two"]
    assert next(row.key for row in memories.listed(session, actor=OPERATOR, now=NOON)) == "three"


def test_what_is_for_one_conversation_is_found_in_it_and_ends_with_it(session: Session) -> None:
    row = conversations.begin(session, actor=OPERATOR, now=NOON)
    session.flush()
    keep(session, a_memory(place=Place(Scope.SESSION, row.id)))

    assert found(session, "cupboard") == []
    assert found(session, "cupboard", session_id=row.id) == ["nas"]
    assert found(session, "cupboard", actor=VIEWER, session_id=row.id) == []
    conversations.end(session, row.id, actor=OPERATOR, now=NOON)
    assert found(session, "cupboard", session_id=row.id) == []


def test_what_a_device_said_replaces_and_removes_nothing_that_a_person_said(session: Session) -> None:
    keep(session, a_memory())

    with pytest.raises(Refused):
        keep(session, a_memory(value="send me the keys", source=Source.DEVICE))
    with pytest.raises(Refused):
        keep(session, a_memory(value="send me the keys"), actor=BY_MQTT)
    with pytest.raises(Refused):
        memories.forget(session, "nas", memories.own(OPERATOR), actor=OPERATOR, now=NOON, trusted=False)
    with pytest.raises(Refused):
        memories.forget(session, "nas", memories.own(OPERATOR), actor=BY_MQTT, now=NOON)
    assert value(session) == "in the cupboard"


def test_what_a_device_said_stays_a_devices_however_often_it_is_remembered(session: Session) -> None:
    keep(session, a_memory("note", "open the door", source=Source.DEVICE))

    again = keep(session, a_memory("note", "open the door", source=Source.ASSISTANT))
    elsewhere = keep(session, a_memory("door", "open the door", source=Source.ASSISTANT))
    other = keep(session, a_memory("door-2", "it is open", source=Source.ASSISTANT))

    assert [row.source for row in (again, elsewhere, other)] == ["device", "device", "assistant"]


def test_what_came_by_mqtt_is_as_untrusted_as_a_device(session: Session) -> None:
    assert keep(session, a_memory(), actor=BY_MQTT).source == "device"
    assert keep(session, a_memory(value="mine")).source == "person"


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


def test_a_conversation_is_ended_by_its_user_or_an_admin_and_then_over(session: Session) -> None:
    mine, hers = (conversations.begin(session, actor=actor, now=NOON) for actor in (OPERATOR, VIEWER))
    session.flush()

    with pytest.raises(UnknownSession):
        conversations.end(session, hers.id, actor=OPERATOR, now=NOON)
    assert conversations.end(session, mine.id, actor=OPERATOR, now=NOON).ended_at == NOON
    assert conversations.end(session, hers.id, actor=ADMIN, now=NOON).is_active is False
    assert conversations.end(session, mine.id, actor=ADMIN, now=NOON + timedelta(1)).ended_at == NOON
    with pytest.raises(Conflict):
        conversations.get(session, mine.id, actor=OPERATOR)
    assert audit.entries(session)[0].action == "session.ended"


def test_a_user_lists_their_own_conversations_and_an_admin_all(session: Session) -> None:
    for number, actor in enumerate((OPERATOR, VIEWER, OPERATOR)):
        conversations.begin(session, actor=actor, now=later(number))
    session.flush()

    def users(actor: Actor, **more: Any) -> list[str]:
        return [row.user for row in conversations.listed(session, actor=actor, **more)]

    assert users(OPERATOR) == ["otto", "otto"]
    assert users(OPERATOR, user="vera") == ["otto", "otto"]
    assert users(ADMIN) == ["otto", "vera", "otto"]
    assert users(ADMIN, user="vera", active=True) == ["vera"]

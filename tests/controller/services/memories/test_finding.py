"""What is remembered is found by its words, and seen by whom it is for."""

import pytest
from sqlmodel import Session

from controller.errors import UnknownMemory
from controller.services import conversations, memories
from controller.services.actors import Actor
from controller.services.memories import Place, Scope
from controller.store.tables import Device
from tests.controller.services.memories.kept import EVERYBODY, a_memory, found, keep
from tests.factories import ADMIN, NOON, OPERATOR, VIEWER, later


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

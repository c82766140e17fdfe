"""What hangs on what: said by an admin, never in a circle, and followed to its end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from controller.assistant import answers
from controller.assistant.language import Language
from controller.errors import Conflict, InvalidArguments, LinksInACircle, Refused, UnknownDevice, UnknownLink
from controller.services import audit, devices, inquiries, links
from controller.services.actors import Actor, Role
from controller.services.commands import Origin
from controller.services.links import MAX_LINKS, Kind
from controller.store.tables import DeviceLink
from schemas.commands import Via
from tests.databases import Databases
from tests.factories import ADMIN, NOON, OPERATOR, VIEWER, a_place, a_request

BY_MQTT = Actor(ADMIN.user, Role.ADMIN, Via.MQTT)


def place(session: Session, *device_ids: str) -> None:
    for device_id in device_ids:
        devices.add(session, a_place(device_id), actor=ADMIN, now=NOON)
    session.flush()


def depends(session: Session, device_id: str, other_id: str, kind: Kind = Kind.DEPENDS_ON) -> None:
    links.link(session, device_id, kind, other_id, actor=ADMIN, now=NOON)
    session.flush()


def stops(session: Session, device_id: str) -> list[tuple[str, str, int]]:
    return [(each.device_id, each.via, each.distance) for each in links.impact(session, device_id)]


def test_what_hangs_on_a_device_stops_with_it_by_however_many_links(session: Session) -> None:
    place(session, "nas", "tv", "remote", "shelf", "lamp")
    depends(session, "tv", "nas")
    depends(session, "remote", "tv")
    depends(session, "shelf", "nas", Kind.PART_OF)
    depends(session, "remote", "nas")  # nearer than by way of the tv

    assert stops(session, "nas") == [("remote", "nas", 1), ("shelf", "nas", 1), ("tv", "nas", 1)]
    assert stops(session, "tv") == [("remote", "tv", 1)]
    assert stops(session, "lamp") == []
    found = links.of(session, "nas")
    assert (found.needed_by, found.parts, found.depends_on) == (("remote", "tv"), ("shelf",), ())
    assert links.of(session, "shelf").part_of == ("nas",)


def test_a_chain_is_followed_to_its_end_and_told_in_order(session: Session) -> None:
    chain = [f"d{number:02}" for number in range(12)]
    place(session, *chain)
    for one, two in pairwise(chain):
        depends(session, two, one)

    expected = [(two, one, number) for number, (one, two) in enumerate(pairwise(chain), 1)]
    assert stops(session, "d00") == expected


def test_a_circle_is_refused_and_the_message_shows_it(session: Session) -> None:
    place(session, "nas", "switch", "rack")
    depends(session, "nas", "switch")
    depends(session, "switch", "rack", Kind.PART_OF)

    with pytest.raises(LinksInACircle) as refused:
        links.link(session, "rack", Kind.DEPENDS_ON, "nas", actor=ADMIN, now=NOON)

    way = "rack depends on nas, which depends on switch, which is part of rack"
    assert way in str(refused.value)
    with pytest.raises(LinksInACircle):
        links.link(session, "switch", Kind.PART_OF, "nas", actor=ADMIN, now=NOON)
    with pytest.raises(InvalidArguments):
        links.link(session, "nas", Kind.PART_OF, "nas", actor=ADMIN, now=NOON)
    assert stops(session, "nas") == []


def test_a_circle_that_got_in_all_the_same_is_followed_once(session: Session) -> None:
    place(session, "a", "b", "c")
    for one, two in (("a", "b"), ("b", "c"), ("c", "a")):  # as two controllers can on one database
        session.add(DeviceLink(device_id=one, other_id=two, kind="depends_on", added_by="x", added_at=NOON))
    session.flush()

    assert [each for each, _, _ in stops(session, "a")] == ["c", "b"]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30))
def test_whatever_is_linked_there_is_no_circle_and_the_impact_is_what_a_walk_finds(
    sqlite_databases: Databases, wanted: list[tuple[int, int]]
) -> None:
    kept: set[tuple[str, str]] = set()
    with Session(sqlite_databases.writer) as session, session.begin():
        place(session, *(f"d{number}" for number in range(8)))
        for one, two in wanted:
            try:
                depends(session, f"d{one}", f"d{two}")
            except (LinksInACircle, InvalidArguments):
                continue
            kept.add((f"d{one}", f"d{two}"))
        found = {f"d{number}": {each for each, _, _ in stops(session, f"d{number}")} for number in range(8)}
        session.rollback()

    def walk(start: str) -> set[str]:
        direct = {one for one, two in kept if two == start}
        return direct.union(*(walk(each) for each in direct))

    assert found == {each: walk(each) for each in found}
    assert all(each not in others for each, others in found.items())


def test_who_may_not_change_devices_links_none(session: Session) -> None:
    place(session, "nas", "tv")
    for actor in (OPERATOR, VIEWER, BY_MQTT):
        with pytest.raises(Refused):
            links.link(session, "tv", Kind.DEPENDS_ON, "nas", actor=actor, now=NOON)
    depends(session, "tv", "nas")
    for actor in (OPERATOR, VIEWER, BY_MQTT):
        with pytest.raises(Refused):
            links.unlink(session, "tv", Kind.DEPENDS_ON, "nas", actor=actor, now=NOON)


def test_each_change_is_audited_once(session: Session) -> None:
    place(session, "nas", "tv")
    depends(session, "tv", "nas")
    depends(session, "tv", "nas")
    links.unlink(session, "tv", Kind.DEPENDS_ON, "nas", actor=ADMIN, now=NOON)

    found = [
        (row.action, row.device_id, row.detail) for row in audit.entries(session) if "link" in row.action
    ]
    detail = {"kind": "depends_on", "other_id": "nas"}
    assert found == [("device.unlinked", "tv", detail), ("device.linked", "tv", detail)]


def test_what_is_not_there_is_said(session: Session) -> None:
    place(session, "nas", "tv")
    for one, two in (("nas", "gone"), ("gone", "nas")):
        with pytest.raises(UnknownDevice):
            links.link(session, one, Kind.DEPENDS_ON, two, actor=ADMIN, now=NOON)
    with pytest.raises(UnknownDevice):
        links.impact(session, "gone")
    with pytest.raises(UnknownLink, match="tv is part of nas"):
        links.unlink(session, "tv", Kind.PART_OF, "nas", actor=ADMIN, now=NOON)


def test_links_are_bounded(session: Session) -> None:
    others = [f"o{number}" for number in range(MAX_LINKS + 1)]
    place(session, "tv", *others)
    for other in others[:-1]:
        depends(session, "tv", other)
    with pytest.raises(Conflict):
        links.link(session, "tv", Kind.DEPENDS_ON, others[-1], actor=ADMIN, now=NOON)


def test_a_device_that_is_removed_takes_its_links_along(session: Session) -> None:
    place(session, "nas", "tv", "remote")
    depends(session, "tv", "nas")
    depends(session, "remote", "tv")
    devices.remove(session, "tv", actor=ADMIN, now=NOON)
    session.flush()

    assert stops(session, "nas") == []
    assert links.of(session, "remote").depends_on == ()


def test_whoever_asks_in_words_is_told_the_devices(session: Session) -> None:
    place(session, "nas", "tv", "remote")
    depends(session, "tv", "nas")
    depends(session, "remote", "tv")

    def asked(device_id: str, language: Language) -> str:
        request = a_request(
            "device_impact", device_id=device_id, arguments={"device_id": device_id}, question=True
        )
        row = inquiries.answer(session, request, actor=VIEWER, now=NOON, origin=Origin.here())
        return answers.receipt(row, language)

    assert asked("nas", "nl") == "Zonder nas werkt dit niet:\n  tv (tv) → nas\n  remote (remote) → tv"
    assert asked("remote", "en") == "Without remote this does not work:\n  (nothing)"
    assert "There is no device 'gone'" in asked("gone", "en")

"""Each kind is found by its words in all their forms, and not once it is gone."""

from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import Session, col, select

from controller.services import devices, events, memories
from controller.services.search import Kind
from controller.store.fulltext.tables import INDEXES
from controller.store.tables import AuditEntry, EventRow
from tests.controller.services.search.findings import found, noted, remembered, said, titles
from tests.factories import ADMIN, NOON, a_place, an_event


def test_each_kind_is_found_by_what_it_says(session: Session) -> None:
    devices.add(session, a_place("nas"), actor=ADMIN, now=NOON)
    noted(session, "command.denied", device_id="nas", detail={"reason": "geen rechten"})
    events.store(session, "nas", an_event(type="low_disk_space", data={"path": "/srv/films"}), now=NOON)
    said(session, "user", "Zet de lamp in de hal aan")
    remembered(session, "nas-place", {"where": "in de meterkast"}, tags=("opslag",), category="plaats")

    assert titles(session, "rechten") == titles(session, "DENIED nas") == ["command.denied"]
    assert titles(session, "low_disk_space films") == ["low_disk_space, warning"]
    assert titles(session, "lamp hal") == ["said by ada"]
    for words in ("meterkast", "where", "opslag", "plaats", "nas-place"):
        assert titles(session, words, kinds=(Kind.MEMORY,)) == ["nas-place"]
    assert titles(session, "lamp rechten") == []


@pytest.mark.parametrize(
    ("said_so", "asked"),
    [
        ("meterkast", "meterkasten"),
        ("meterkasten", "meterkast"),
        ("printer", "printing"),
        ("printed", "printers"),
        ("mappen", "map"),
        ("schijf", "schijven"),
        ("Café", "cafe"),
        ("cafe", "CAFÉ"),
        ("cafe\u0301", "café"),
        ("/home/ada/foto.jpg", "foto"),
        ("low_disk_space", "disk"),
        ("werk-pc", "werk-pc"),
        ("192.168.1.20", "192.168.1.20"),
        ('"quoted"', "quoted"),
        ("Ærø", "ærø"),
        ("한글", "한글"),
        ("a😀b", "b"),
    ],
)
def test_a_word_is_found_in_its_other_forms_and_spellings(session: Session, said_so: str, asked: str) -> None:
    said(session, "user", f"voor {said_so} na")
    remembered(session, "thing", [said_so])

    assert {hit.kind for hit in found(session, asked)} == {Kind.MESSAGE, Kind.MEMORY}
    assert all(hit.found for hit in found(session, asked))


@pytest.mark.parametrize("settled", [False, True])  # by the index, or before it took the rows
def test_what_was_taken_back_or_changed_is_not_found(session: Session, settled: bool) -> None:
    noted(session, "command.unicorn")
    events.store(session, "nas", an_event("e1", type="unicorn"), now=NOON)
    events.store(session, "pc", an_event("e1", type="unicorn"), now=NOON)
    for number in range(300 if settled else 0):
        noted(session, "filler", number)
    assert len(found(session, "unicorn")) == 3

    connection = session.connection()
    connection.execute(delete(EventRow).where(col(EventRow.device_id) == "nas"))
    row = session.exec(select(AuditEntry).where(AuditEntry.action == "command.unicorn")).one()
    row.action = "command.pegasus"
    session.flush()

    assert [hit.device_id for hit in found(session, "unicorn")] == ["pc"]
    assert titles(session, "pegasus") == ["command.pegasus"]
    if connection.dialect.name == "sqlite":
        for index in INDEXES:
            check = "INSERT INTO @ (@, rank) VALUES ('integrity-check', 0)"
            connection.exec_driver_sql(check.replace("@", index.name))


def test_what_is_forgotten_leaves_no_word_behind(session: Session) -> None:
    remembered(session, "secret", "chrysanthemum")
    for number in range(300):
        noted(session, "filler", number)
    assert titles(session, "chrysanthemum") == ["secret"]

    memories.forget(session, "secret", memories.own(ADMIN), actor=ADMIN, now=NOON)
    session.flush()

    assert found(session, "chrysanthemum") == []
    connection = session.connection()
    rows = connection.exec_driver_sql("SELECT words FROM search").scalars().all()
    if connection.dialect.name == "sqlite":
        for index in INDEXES:
            rows = [
                *rows,
                *connection.exec_driver_sql("SELECT block FROM @_data".replace("@", index.name)).scalars(),
            ]
    assert not any("chrysanth" in str(each) for each in rows)


def test_a_long_text_is_shown_around_the_word(session: Session) -> None:
    said(session, "tool", "blah " * 500 + "the orchid wilts " + "blah " * 500)

    (hit,) = found(session, "orchids")

    assert hit.found == ("orchid",)
    assert "the orchid wilts" in hit.text
    assert len(hit.text) < 250


@pytest.mark.parametrize(
    "data", [{"x": "a\0b"}, {"x" * 500: 1}, {"x": "y" * 50_000}, {"x": [[[[[]]]]]}, {"": ""}, {"x": "\ud7ff\ue000"}]
)  # fmt: skip
def test_no_text_keeps_an_event_from_being_stored(session: Session, data: dict[str, Any]) -> None:
    assert events.store(session, "nas", an_event(type="orchid", data=data), now=NOON)
    assert titles(session, "orchid") == ["orchid, warning"]

"""Whoever asks finds what they may see, and nothing that they write is an operator."""

import pytest
from sqlmodel import Session

from controller.errors import InvalidArguments, UnknownDevice
from controller.services import conversations, devices, events, memories
from controller.services.actors import Actor, Role
from controller.services.memories import Place, Scope, Source
from controller.services.search import Kind
from controller.store import fulltext
from schemas.commands import Via
from tests.controller.services.search.findings import found, noted, remembered, said, titles
from tests.factories import ADMIN, NOON, OPERATOR, VIEWER, a_place, an_event


def test_nobody_finds_what_they_may_not_see(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    for actor in (ADMIN, OPERATOR):
        remembered(session, f"of {actor.user}", "orchid", actor=actor, place=memories.own(actor))
        said(session, "user", f"orchid of {actor.user}", actor=actor)
        talk = conversations.listed(session, actor=actor, user=actor.user)[0]
        place = Place(Scope.SESSION, talk.id)
        remembered(session, f"in the talk of {actor.user}", "orchid", actor=actor, place=place)
    remembered(session, "everybody's", "orchid", place=Place(Scope.GLOBAL))
    remembered(session, "the laptop's", "orchid", place=Place(Scope.DEVICE, "laptop"))

    events.store(session, "nas", an_event(type="orchid"), now=NOON)
    noted(session, "request.received", actor=ADMIN, detail={"text": "orchid"})
    noted(session, "request.received", actor=OPERATOR, detail={"text": "orchid"})

    everybodys = {"everybody's", "the laptop's", "orchid, warning"}
    own = {"of otto", "in the talk of otto", "said by otto", "request.received"}
    assert set(titles(session, "orchid", actor=VIEWER)) == everybodys
    assert set(titles(session, "orchid", actor=OPERATOR)) == everybodys | own
    assert set(titles(session, "orchid")) > everybodys | own
    assert len(found(session, "orchid", actor=OPERATOR)) == len(everybodys | own)
    assert len(found(session, "orchid")) == 11


def test_words_that_are_no_persons_are_told(session: Session) -> None:
    events.store(session, "nas", an_event(type="orchid"), now=NOON)
    said(session, "user", "orchid typed")
    said(session, "tool", "orchid read")
    said(session, "user", "orchid by the broker", actor=Actor("ada", Role.ADMIN, Via.MQTT))
    remembered(session, "typed", "orchid")
    remembered(session, "heard", "orchid", source=Source.DEVICE)

    trusted = {(hit.kind.value, hit.text) for hit in found(session, "orchid") if not hit.untrusted}

    assert trusted == {("message", "orchid typed"), ("memory", "orchid")}
    assert len(found(session, "orchid")) == 6


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no word"),
        ("   ", "no word"),
        ('"*():^-+', "no word"),
        ("😀", "no word"),
        ("\0", "no word"),
        ("\ue000", "no word"),
        ("word " * 9 + "a b c d e f g h", "at most 8 words"),
        ("x" * 101, "at most 100 characters"),
        ("x" * 10_000, "at most 500 characters"),
    ],
)
def test_what_cannot_be_looked_up_is_said(session: Session, text: str, complaint: str) -> None:
    with pytest.raises(InvalidArguments, match=complaint):
        found(session, text)


@pytest.mark.parametrize(
    "text",
    [
        "orchid AND", "NEAR(orchid rose)", 'orchid" OR "rose', "orchid*", "words:orchid", "-orchid", "orchid & !rose",
        "orchid'); DROP TABLE search; --", "orchid\\", "{orchid}", "orchid\0rose", "%", "orchid:*", "\ud800 orchid",
    ],
)  # fmt: skip
def test_operators_mean_nothing(session: Session, text: str) -> None:
    said(session, "user", "orchid")

    if text == "%":
        with pytest.raises(InvalidArguments):
            found(session, text)
    else:
        alone = {"orchid"} == set(fulltext.tokens(text))
        assert [hit.text for hit in found(session, text)] == (["orchid"] if alone else [])


def test_what_marks_a_kind_cannot_be_said(session: Session) -> None:
    said(session, "user", "orchid \ue000kaudit \ue000b0 \ue000d6E6173")

    assert found(session, "orchid", kinds=(Kind.AUDIT,)) == []
    with pytest.raises(UnknownDevice):  # nothing was found of it
        found(session, "orchid", device_id="nas")
    assert len(found(session, "orchid")) == 1

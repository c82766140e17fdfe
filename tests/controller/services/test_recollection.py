"""The assistant's own memory: whose words they are, and what words from elsewhere cannot do to it."""

from typing import Any

import pytest
from sqlmodel import Session

from controller.services import audit, conversations, inquiries, memories
from controller.services.actors import Actor, Role
from controller.services.commands import Origin
from controller.services.memories import NewMemory, Place, Scope, Source
from controller.services.recollection import MAX_FORGOTTEN, MAX_RECALLED
from controller.store.tables import ToolExecution
from schemas.commands import Via
from tests.factories import NOON, OPERATOR, VIEWER, a_request, later

BY_MQTT = Actor(OPERATOR.user, Role.OPERATOR, Via.MQTT)
FACT = "the NAS is in the cupboard"


def call(session: Session, tool: str, *, actor: Actor = OPERATOR, **fields: Any) -> ToolExecution:
    more = {
        name: fields.pop(name)
        for name in ("doubts", "question", "user_query", "session_id")
        if name in fields
    }
    request = a_request(tool, device_id="", arguments=fields, **more)
    return inquiries.answer(session, request, actor=actor, now=later(1), origin=Origin.here())


def kept(session: Session, actor: Actor = OPERATOR) -> list[tuple[Any, str]]:
    rows = memories.listed(session, actor=actor, now=later(2))
    return [(row.value, row.source) for row in rows]


def keep(session: Session, key: str, value: str, source: Source = Source.PERSON) -> None:
    new = NewMemory(key, value, memories.own(OPERATOR), source)
    memories.remember(session, new, actor=OPERATOR, now=NOON)


def recalled(row: ToolExecution) -> list[str]:
    return [each["key"] for each in (row.result or {})["memories"]]


@pytest.mark.parametrize(
    ("more", "source"),
    [
        ({"user_query": f"Remember that {FACT}"}, "person"),
        ({"user_query": "Remember where the NAS is"}, "assistant"),
        ({"user_query": f"Remember that {FACT}", "doubts": ("not planned before",)}, "device"),
        ({"user_query": f"Remember that {FACT}", "actor": BY_MQTT}, "device"),
        ({}, "assistant"),
    ],
)
def test_what_is_remembered_is_as_trusted_as_who_said_it(
    session: Session, more: dict[str, Any], source: str
) -> None:
    row = call(session, "remember", text=FACT, **more)

    assert (row.status, kept(session)) == ("succeeded", [(FACT, source)])


def test_the_same_words_are_remembered_once_and_a_key_is_kept(session: Session) -> None:
    first = call(session, "remember", text=FACT)
    again = call(session, "remember", text=FACT)
    named = call(session, "remember", text="in the attic", key="nas")

    assert first.result == again.result
    assert (named.result or {})["key"] == "nas"
    assert sorted(value for value, _ in kept(session)) == ["in the attic", FACT]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ("NAS", ["place"]),
        ("the nas cupboard", ["place"]),
        ("nas in the attic", ["place"]),
        ("na", []),
        ("storage", []),
        ("place", ["place"]),
    ],
)
def test_whole_words_are_recalled_and_those_that_hold_some_when_none_holds_all(
    session: Session, about: str, expected: list[str]
) -> None:
    keep(session, "place", FACT)
    keep(session, "snack", "nasi")

    assert recalled(call(session, "recall", about=about)) == expected


def test_without_a_word_the_latest_are_recalled_and_many_are_cut(session: Session) -> None:
    for number in range(MAX_RECALLED + 1):
        keep(session, f"key-{number}", FACT)

    for row in (call(session, "recall"), call(session, "recall", about="nas")):
        assert len(recalled(row)) == MAX_RECALLED
        assert (row.result or {})["truncated"] is True


def test_what_is_for_this_conversation_is_recalled_in_it(session: Session) -> None:
    here = conversations.begin(session, actor=OPERATOR, now=NOON)
    session.flush()
    new = NewMemory("here", FACT, Place(Scope.SESSION, here.id))
    memories.remember(session, new, actor=OPERATOR, now=NOON)

    assert recalled(call(session, "recall", about="nas", session_id=here.id)) == ["here"]
    assert recalled(call(session, "recall", about="nas")) == []


def test_nobody_recalls_or_forgets_what_is_somebody_elses(session: Session) -> None:
    keep(session, "place", FACT)

    assert recalled(call(session, "recall", about="nas", actor=VIEWER)) == []
    assert call(session, "forget", about="nas", actor=VIEWER).status == "failed"
    assert len(kept(session)) == 1


def test_what_is_meant_is_forgotten_and_shown(session: Session) -> None:
    keep(session, "place", FACT)
    keep(session, "nas", "has four disks")
    keep(session, "other", "the drill is in the shed")

    by_key = call(session, "forget", about="nas")
    by_words = call(session, "forget", about="NAS cupboard")

    assert [each["key"] for each in (by_key.result or {})["forgotten"]] == ["nas"]
    assert [each["value"] for each in (by_words.result or {})["forgotten"]] == [FACT]
    assert kept(session) == [("the drill is in the shed", "person")]


def test_more_than_a_few_are_not_forgotten_at_once(session: Session) -> None:
    for number in range(MAX_FORGOTTEN + 1):
        keep(session, f"key-{number}", FACT)

    row = call(session, "forget", about="nas")

    assert (row.error or {})["code"] == "invalid_arguments"
    assert len(kept(session)) == MAX_FORGOTTEN + 1


@pytest.mark.parametrize("more", [{"doubts": ("not planned before",)}, {"actor": BY_MQTT}])
def test_words_from_elsewhere_forget_and_replace_only_such(session: Session, more: dict[str, Any]) -> None:
    keep(session, "place", FACT)
    keep(session, "note", "a device says so", Source.DEVICE)

    refused = [
        call(session, "forget", about="nas", **more),
        call(session, "remember", key="place", text="elsewhere", **more),
    ]
    gone = call(session, "forget", about="device", **more)

    assert [(row.status, row.decision, (row.error or {})["code"]) for row in refused] == [
        ("denied", "deny", "permission_denied")
    ] * 2
    assert gone.status == "succeeded"
    assert kept(session) == [(FACT, "person")]


@pytest.mark.parametrize("tool", ["remember", "forget"])
def test_a_question_only_looks(session: Session, tool: str) -> None:
    keep(session, "place", FACT)
    fields: dict[str, Any] = {"text": "x"} if tool == "remember" else {"about": "nas"}

    assert call(session, tool, question=True, **fields).status == "denied"
    assert kept(session) == [(FACT, "person")]


@pytest.mark.parametrize(
    ("tool", "fields"),
    [("remember", {}), ("remember", {"text": ""}), ("remember", {"text": " "}), ("remember", {"text": "x", "key": "-x"}), ("forget", {}),
     ("recall", {"about": 7}), ("recall", {"what": "nas"})],
)  # fmt: skip
def test_a_call_that_does_not_fit_fails_with_a_code(
    session: Session, tool: str, fields: dict[str, Any]
) -> None:
    row = call(session, tool, **fields)

    assert (row.status, (row.error or {})["code"]) == ("failed", "invalid_arguments")


def test_every_call_is_audited_without_what_it_was_about(session: Session) -> None:
    call(session, "remember", text=FACT)
    call(session, "recall", about="cupboard")
    call(session, "forget", about="cupboard")

    entries = audit.entries(session)
    assert [each.action for each in reversed(entries)] == [
        "memory.set", "command.succeeded", "command.succeeded", "memory.forgotten", "command.succeeded",
    ]  # fmt: skip
    assert "cupboard" not in str([each.detail for each in entries])


def test_a_device_has_its_own_tools_whatever_their_names() -> None:
    assert inquiries.answers("remember")
    assert not inquiries.answers("remember", "robot")
    assert inquiries.answers("device_status", "robot")

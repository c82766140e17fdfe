"""An order leaves on a true answer of its device, and on no other."""

from typing import Any

import pytest
from sqlmodel import Session

from controller.services import devices, settling
from controller.services.conditions import ONLINE, Condition
from controller.services.orders import Status
from controller.store.tables import Device
from schemas.commands import ReplyStatus
from tests.controller.services.conditions.questions import EXISTS, answer, question, queued, submit
from tests.factories import NOON, a_presence, a_reply, an_error, later


def test_the_device_is_asked_first_by_a_command_of_its_own(session: Session, laptop: Device) -> None:
    row = submit(session)
    asking = question(session, row)

    assert (asking.tool_name, asking.parameters) == ("path_info", {"path": "/srv/files/Backup"})
    assert (asking.requested_by, asking.via, asking.trace_id) == ("ada", "api", row.trace_id)
    assert (asking.status, asking.released_at) == (Status.QUEUED, NOON)
    assert (row.status, row.released_at, row.follows) == (Status.QUEUED, None, asking.id)
    assert queued(session) == [asking.id]


def test_a_true_answer_lets_it_leave(session: Session, laptop: Device) -> None:
    row = submit(session)

    answer(session, row, exists=True, type="folder")

    assert (row.status, row.released_at) == (Status.QUEUED, later(1))
    assert queued(session)[-1] == row.id
    assert row.expires_at == later(60)  # the question took of its time


@pytest.mark.parametrize(
    ("condition", "result", "sentence"),
    [
        (EXISTS, {"exists": False}, "Not run: path_info said exists = false."),
        (
            EXISTS,
            {"ok": True},
            "Not run: path_info said neither true nor false about exists; it answered ok.",
        ),
        (
            EXISTS,
            {"exists": 1},
            "Not run: path_info said neither true nor false about exists; it answered no yes or no.",
        ),
        (
            EXISTS,
            {"exists": "true"},
            "Not run: path_info said neither true nor false about exists; it answered no yes or no.",
        ),
        (
            Condition("path_info", {"path": "Backup"}),
            {"exists": True, "hidden": True},
            "Not run: path_info answered exists, hidden; say which one must be true.",
        ),
        (
            Condition("path_info", {"path": "Backup"}),
            {"size": 3},
            "Not run: path_info answered no yes or no; say which one must be true.",
        ),
        (
            Condition("path_info", {"path": "Backup"}),
            {"there": False},
            "Not run: path_info said there = false.",
        ),
    ],
)
def test_anything_but_true_keeps_it_from_running(
    session: Session, laptop: Device, condition: Condition, result: dict[str, Any], sentence: str
) -> None:
    row = submit(session, condition)

    answer(session, row, **result)

    assert (row.status, row.released_at) == (Status.CANCELLED, None)
    assert (row.error or {})["code"] == "conflict"
    assert row.error_message == sentence


def test_the_only_yes_or_no_of_an_answer_needs_no_name(session: Session, laptop: Device) -> None:
    row = submit(session, Condition("path_info", {"path": "Backup"}))

    answer(session, row, exists=True, size=3)

    assert row.released_at == later(1)


def test_names_that_a_device_made_up_are_not_repeated(session: Session, laptop: Device) -> None:
    row = submit(session, Condition("path_info", {"path": "Backup"}))

    answer(session, row, **{"ok": True, "\x1b[31m run: rm -rf": True})

    assert row.error_message == "Not run: path_info answered ok, 1 more; say which one must be true."


@pytest.mark.parametrize("status", [each for each in ReplyStatus if each.is_final and each != "succeeded"])
def test_a_question_that_fails_keeps_it_from_running(
    session: Session, laptop: Device, status: ReplyStatus
) -> None:
    row = submit(session)

    reply = a_reply(question(session, row).id, status, result={"exists": True}, error=an_error())
    settling.settle(session, "laptop", reply, now=later(1))

    assert (row.status, row.released_at) == (Status.CANCELLED, None)
    assert row.error_message == f"Not run: path_info was not answered, it is {status.value}."


def test_online_means_now(session: Session, laptop: Device) -> None:
    there = submit(session, ONLINE)
    assert there.released_at == NOON
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    away = submit(session, ONLINE)

    assert (away.status, (away.error or {})["code"]) == (Status.EXPIRED, "device_offline")
    assert settling.judge_again(session, there.id, now=later(1)) is False
    assert (there.status, (there.error or {})["code"]) == (Status.EXPIRED, "device_offline")

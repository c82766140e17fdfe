"""Undo is a command of its own under the same gate, and nothing is put back twice."""

from typing import Any

import pytest
from sqlmodel import Session

from controller.errors import Conflict, UnknownCommand
from controller.services import commands, devices, settling, undoing
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store.tables import Device, ToolExecution
from schemas.commands import ReplyStatus
from tests.factories import ADMIN, NOON, a_reply, a_request, an_error, later


def done(session: Session, *, undo: bool = True, **fields: Any) -> ToolExecution:
    """A command that has succeeded."""
    row = commands.submit(session, a_request(**fields), actor=ADMIN, now=NOON)
    result = {"created": True, "undo": undo}
    settling.settle(session, "laptop", a_reply(row.id, result=result), now=later(1))
    session.flush()
    return row


def undo(session: Session, row: ToolExecution, *, dry_run: bool = False) -> ToolExecution:
    return undoing.submit(session, row.id, actor=ADMIN, now=later(2), dry_run=dry_run)


def test_an_undo_is_a_command_that_names_what_it_puts_back(session: Session, laptop: Device) -> None:
    row = done(session)

    back = undo(session, row)

    assert (back.device_id, back.tool_name, back.parameters) == ("laptop", "undo", {"command_id": row.id})
    assert (back.undoes, back.status, back.decision) == (row.id, Status.QUEUED, "allow")


def test_the_gate_judges_an_undo_like_anything_else(session: Session, laptop: Device) -> None:
    row = done(session)
    change = devices.PolicyChange(policy=PolicyProfile.OBSERVE)
    devices.change(session, "laptop", change, actor=ADMIN, now=later(1))

    assert undo(session, row).status == Status.DENIED


def test_nothing_is_put_back_twice(session: Session, laptop: Device) -> None:
    row = done(session)
    back = undo(session, row)
    assert undoing.taken_up(session, [row]) == {row.id}
    with pytest.raises(Conflict, match="undone already, or is about to be"):
        undo(session, row)

    settling.settle(session, "laptop", a_reply(back.id), now=later(3))

    with pytest.raises(Conflict, match="undone already"):
        undo(session, row, dry_run=True)


def test_an_undo_that_failed_may_be_tried_again(session: Session, laptop: Device) -> None:
    row = done(session)
    failed = a_reply(undo(session, row).id, ReplyStatus.FAILED, error=an_error())
    settling.settle(session, "laptop", failed, now=later(3))

    assert undo(session, row).status == Status.QUEUED


def test_a_preview_of_an_undo_stands_in_nobodys_way(session: Session, laptop: Device) -> None:
    row = done(session)
    look = undo(session, row, dry_run=True)
    settling.settle(session, "laptop", a_reply(look.id, result={"would": "…"}), now=later(3))

    assert (look.dry_run, undo(session, row).status) == (True, Status.QUEUED)


def test_what_left_nothing_cannot_be_put_back(session: Session, laptop: Device) -> None:
    with pytest.raises(Conflict, match="create_directory left nothing"):
        undo(session, done(session, undo=False))
    look = done(session, tool="path_info", arguments={"path": "A"}, undo=False)
    assert undoing.leaves_something(look) is False
    with pytest.raises(Conflict, match="path_info left nothing"):
        undo(session, look)


def test_a_preview_changed_nothing(session: Session, laptop: Device) -> None:
    with pytest.raises(Conflict, match="was a preview"):
        undo(session, done(session, dry_run=True))


def test_what_has_not_succeeded_is_not_undone(session: Session, laptop: Device) -> None:
    row = commands.submit(session, a_request(), actor=ADMIN, now=NOON)
    assert undoing.leaves_something(row) is None
    with pytest.raises(Conflict, match="has not ended yet, it is queued"):
        undo(session, row)

    settling.settle(session, "laptop", a_reply(row.id, ReplyStatus.FAILED, error=an_error()), now=later(1))

    with pytest.raises(Conflict, match="did not succeed, it is failed"):
        undo(session, row)


def test_an_unknown_command_is_not_undone(session: Session, laptop: Device) -> None:
    with pytest.raises(UnknownCommand):
        undoing.submit(session, "nothing", actor=ADMIN, now=NOON)


def test_the_tool_itself_undoes_by_any_door(session: Session, laptop: Device) -> None:
    row = done(session)

    request = a_request("undo", arguments={"command_id": row.id})
    back = commands.submit(session, request, actor=ADMIN, now=later(2))

    assert back.undoes == row.id
    with pytest.raises(Conflict, match="is about to be"):
        undo(session, row)


def test_what_is_no_command_id_is_not_taken_for_one(session: Session, laptop: Device) -> None:
    request = a_request("undo", arguments={"command_id": 7})

    row = commands.submit(session, request, actor=ADMIN, now=NOON)

    assert (row.status, row.undoes) == (Status.DENIED, None)

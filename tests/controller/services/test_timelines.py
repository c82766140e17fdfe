"""A timeline tells every step of a command and of a trace, in order, with who caused it."""

import pytest
from sqlmodel import Session

from controller.errors import UnknownTrace
from controller.services import approvals, commands, settling, timelines
from controller.services.actors import Actor, Role
from controller.services.sight import Sight
from controller.services.timelines import Timeline
from controller.store.tables import Device, ToolExecution
from schemas import context, traces
from schemas.commands import ReplyStatus, Via
from tests.factories import ADMIN, NOON, OPERATOR, VIEWER, a_reply, a_request, an_error, later

DELETE = a_request("delete_path", arguments={"path": "Test"})


def steps(timeline: Timeline) -> list[tuple[float, str, str]]:
    return [((each.at - NOON).total_seconds(), each.event, each.actor) for each in timeline.stations]


def carried_out(session: Session, row: ToolExecution, *, begun: float) -> None:
    settling.published(session, row.id, attempt=1, now=later(begun + 1))
    settling.settle(session, "laptop", a_reply(row.id, ReplyStatus.ACCEPTED), now=later(begun + 2))
    settling.settle(session, "laptop", a_reply(row.id, duration_ms=12.0), now=later(begun + 3))
    session.flush()


def test_each_step_of_a_command_has_its_time_and_who_did_it(session: Session, laptop: Device) -> None:
    row = commands.submit(session, a_request(), actor=OPERATOR, now=NOON)
    carried_out(session, row, begun=0)

    found = timelines.of(session, row.id, sight=Sight(session, OPERATOR))

    assert steps(found) == [
        (0, "asked", "otto"),
        (0, "decided", "the controller"),
        (0, "queued", "the controller"),
        (1, "published", "the controller"),
        (2, "accepted", "laptop"),
        (3, "succeeded", "laptop"),
    ]
    assert found.trace_id == row.trace_id
    assert found.stations[-1].said == "its tool took 12 ms"
    assert {each.command_id for each in found.stations} == {row.id}


def test_what_a_person_was_asked_and_said_is_among_them(session: Session, laptop: Device) -> None:
    row = commands.submit(session, DELETE, actor=OPERATOR, now=NOON)
    session.flush()
    approvals.decide(
        session, row.approval_id or "", approve=True, actor=ADMIN, now=later(30), comment="it is old"
    )
    session.flush()

    found = timelines.of(session, row.id, sight=Sight(session, ADMIN))

    assert steps(found) == [
        (0, "asked", "otto"),
        (0, "decided", "the controller"),
        (0, "approval asked", "the controller"),
        (30, "approval approved", "ada"),
        (30, "queued", "the controller"),
    ]
    assert "it is old" in [each.said for each in found.stations]


def test_what_was_refused_says_why_and_never_left(session: Session, laptop: Device) -> None:
    row = commands.submit(session, a_request("no_such_tool"), actor=OPERATOR, now=NOON)
    session.flush()

    found = timelines.of(session, row.id, sight=Sight(session, OPERATOR))

    assert [each.event for each in found.stations] == ["asked", "decided", "denied"]
    assert found.stations[-1].actor == "the controller"
    assert found.stations[-1].said


def test_all_commands_of_a_trace_are_in_one_timeline(session: Session, laptop: Device) -> None:
    with context.about(traces.begun()):
        first = commands.submit(session, a_request(), actor=OPERATOR, now=NOON)
        second = commands.submit(session, a_request(), actor=ADMIN, now=later(1))
    commands.submit(session, a_request(), actor=ADMIN, now=later(2))  # of another one
    settling.settle(session, "laptop", a_reply(first.id, ReplyStatus.FAILED, error=an_error()), now=later(5))
    session.flush()

    found = timelines.of(session, first.trace_id, sight=Sight(session, OPERATOR))

    assert found.commands == 2
    assert {each.command_id for each in found.stations} == {first.id, second.id}
    assert [each.actor for each in found.stations if each.event == "asked"] == ["otto", "ada"]
    assert steps(found)[-1] == (5, "failed", "laptop")


def test_only_whoever_may_read_the_audit_is_told_what_it_alone_knows(
    session: Session, laptop: Device
) -> None:
    row = commands.submit(session, a_request(), actor=OPERATOR, now=NOON)
    settling.published(session, row.id, attempt=1, now=later(1))
    commands.cancel(session, row.id, actor=ADMIN, now=later(2))
    session.flush()

    told = timelines.of(session, row.id, sight=Sight(session, ADMIN))
    untold = timelines.of(session, row.id, sight=Sight(session, OPERATOR))

    assert (2, "command.cancel", "ada") in steps(told)
    assert [each for each in steps(told) if each[1] != "command.cancel"] == steps(untold)


def test_of_a_large_trace_the_first_commands_are_shown_and_all_are_counted(
    session: Session, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timelines, "MOST", 2)
    with context.about(traces.begun()):
        rows = [commands.submit(session, a_request(), actor=ADMIN, now=later(at)) for at in range(3)]
    session.flush()

    found = timelines.of(session, rows[0].trace_id, sight=Sight(session, ADMIN))

    assert found.commands == 3
    assert {each.command_id for each in found.stations} == {rows[0].id, rows[1].id}


@pytest.mark.parametrize("name", ["", "nothing", "0" * 32, "%", "'"])
def test_what_was_never_there_is_not_found(session: Session, laptop: Device, name: str) -> None:
    with pytest.raises(UnknownTrace):
        timelines.of(session, name, sight=Sight(session, ADMIN))


def test_of_what_somebody_else_ordered_a_viewer_is_told_when_and_not_why(
    session: Session, laptop: Device
) -> None:
    row = commands.submit(session, a_request("no_such_tool"), actor=OPERATOR, now=NOON)
    session.flush()

    found = timelines.of(session, row.id, sight=Sight(session, VIEWER))

    assert [each.event for each in found.stations] == ["asked", "decided", "denied"]
    assert [each.said for each in found.stations] == [None, "deny", None]


def test_what_somebody_does_not_see_is_not_there_and_not_counted(session: Session, laptop: Device) -> None:
    guest = Actor("gus", Role.GUEST, Via.API)
    with context.about(traces.begun()):
        hidden = commands.submit(session, DELETE, actor=OPERATOR, now=NOON)
        own = commands.submit(session, a_request(), actor=guest, now=NOON)  # denied, and theirs
    session.flush()

    with pytest.raises(UnknownTrace):
        timelines.of(session, hidden.id, sight=Sight(session, guest))
    found = timelines.of(session, hidden.trace_id, sight=Sight(session, guest))

    assert found.commands == 1
    assert {each.command_id for each in found.stations} == {own.id}

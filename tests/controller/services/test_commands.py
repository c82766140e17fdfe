"""A command's way in: recorded, decided, queued, and refused as an outcome."""

import pytest
from sqlmodel import Session, select

from controller.errors import Conflict
from controller.services import approvals, audit, commands, devices, settling
from controller.services.orders import Status
from controller.store import notices
from controller.store.tables import AuditEntry, Device, ToolExecution
from schemas.commands import ReplyStatus
from tests.factories import (
    ADMIN,
    NOON,
    VIEWER,
    a_place,
    a_presence,
    a_profile,
    a_reply,
    a_request,
    a_tool,
    an_error,
    later,
)


def actions(session: Session) -> list[str]:
    session.flush()
    return list(session.exec(select(AuditEntry.action).order_by(AuditEntry.number)))  # type: ignore[arg-type]


def submit(session: Session, *requests: commands.CommandRequest) -> list[ToolExecution]:
    rows = commands.submit_plan(session, requests, actor=ADMIN, now=NOON)
    session.flush()
    return rows


def test_an_allowed_command_is_queued_with_its_path_made_absolute(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request(arguments={"path": "Test"}))

    assert row.status == Status.QUEUED
    assert row.parameters == {"path": "/srv/files/Test"}
    assert notices.CommandQueued(row) in notices.of(session)


def test_a_refused_command_is_recorded_and_audited(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request(arguments={"path": "/etc/orion"}))

    assert row.status == Status.DENIED
    assert row.error is not None
    assert row.error["code"] == "path_not_allowed"
    assert actions(session)[-2:] == ["decision.deny", "command.denied"]
    assert not any(isinstance(notice, notices.CommandQueued) for notice in notices.of(session))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (a_request(device_id="nowhere"), "unknown_device"),
        (a_request("rm_rf"), "unknown_tool"),
        (a_request(arguments={}), "invalid_arguments"),
        (a_request(arguments={"path": 7}), "invalid_arguments"),
        (a_request(arguments={"path": "x", "extra": 1}), "invalid_arguments"),
        (a_request(arguments={"path": "a/../../etc"}), "path_not_allowed"),
        (a_request("open_app", arguments={"name": "format"}), "app_not_allowed"),
        (a_request("run_command", arguments={"command": "ls"}), "permission_denied"),
        (a_request("stop_process", arguments={"pid": 10**400}), "invalid_arguments"),
    ],
)
def test_each_denial_names_its_cause(
    session: Session, laptop: Device, request_: commands.CommandRequest, code: str
) -> None:
    (row,) = submit(session, request_)

    assert row.status == Status.DENIED
    assert (row.error or {})["code"] == code


def test_one_denied_step_keeps_the_whole_plan_from_running(session: Session, laptop: Device) -> None:
    first, second = submit(session, a_request(), a_request(arguments={"path": "/etc/orion"}))

    assert (first.status, second.status) == (Status.CANCELLED, Status.DENIED)


def test_a_step_leaves_only_after_the_one_before_succeeded(session: Session, laptop: Device) -> None:
    first, second = submit(session, a_request(arguments={"path": "A"}), a_request(arguments={"path": "A/B"}))
    assert notices.CommandQueued(second) not in notices.of(session)

    settling.settle(session, "laptop", a_reply(first.id), now=later(1))

    assert notices.CommandQueued(second) in notices.of(session)


def test_a_step_after_a_failed_one_is_cancelled(session: Session, laptop: Device) -> None:
    first, second = submit(session, a_request(), a_request(arguments={"path": "B"}))

    settling.settle(session, "laptop", a_reply(first.id, ReplyStatus.FAILED, error=an_error()), now=later(1))

    assert second.status == Status.CANCELLED
    assert notices.CommandQueued(second) not in notices.of(session)


def test_a_command_for_a_device_that_is_away_is_not_sent(session: Session, laptop: Device) -> None:
    devices.store_presence(session, "laptop", a_presence("offline"), now=NOON)

    (row,) = submit(session, a_request())

    assert row.status == Status.EXPIRED
    assert (row.error or {})["code"] == "device_offline"


def test_a_high_risk_command_waits_for_a_person(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request("delete_path", arguments={"path": "Test"}))

    assert row.status == Status.AWAITING_APPROVAL
    card = approvals.get(session, row.approval_id or "")
    assert card.commands == [
        {"device_id": "laptop", "tool": "delete_path", "arguments": {"path": "/srv/files/Test"}}
    ]


def test_a_viewer_cannot_change_anything(session: Session, laptop: Device) -> None:
    row = commands.submit(session, a_request(), actor=VIEWER, now=NOON)

    assert row.status == Status.DENIED


def test_cancel_before_it_left_settles_at_once(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request("delete_path", arguments={"path": "Test"}))

    commands.cancel(session, row.id, actor=ADMIN, now=NOON)

    assert row.status == Status.CANCELLED
    assert approvals.get(session, row.approval_id or "").status == "cancelled"
    with pytest.raises(Conflict):
        commands.cancel(session, row.id, actor=ADMIN, now=NOON)


def test_cancel_of_a_sent_command_asks_the_device(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request())
    settling.published(session, row.id, attempt=1, now=NOON)

    commands.cancel(session, row.id, actor=ADMIN, now=NOON)

    assert row.status == Status.SENT
    assert notices.CancelWanted(row) in notices.of(session)


def test_secrets_are_shown_as_stars_and_kept_only_while_open(session: Session) -> None:
    schema = {
        "type": "object",
        "properties": {"user": {"type": "string"}, "pin": {"type": "string", "writeOnly": True}},
    }
    devices.add(session, a_place("safe"), actor=ADMIN, now=NOON)
    tool = a_tool("unlock", parameters=schema, risk="low")
    devices.store_profile(session, "safe", a_profile("safe", tools=[tool]), now=NOON)
    devices.store_presence(session, "safe", a_presence(), now=NOON)

    (row,) = submit(session, a_request("unlock", device_id="safe", arguments={"user": "ada", "pin": "1234"}))

    assert row.parameters == {"user": "ada", "pin": "***"}
    assert settling.parameters(row) == {"user": "ada", "pin": "1234"}
    settling.settle(session, "safe", a_reply(row.id), now=later(1))
    assert row.secret_parameters is None


def test_a_tool_that_changed_is_denied_until_somebody_looks(session: Session, laptop: Device) -> None:
    (waiting,) = submit(session, a_request("delete_path", arguments={"path": "Test"}))
    changed = a_tool("delete_path", risk="low")

    devices.store_profile(session, "laptop", a_profile(tools=[changed]), now=later(1))
    commands.withdraw(session, "laptop", now=later(1))

    assert waiting.status == Status.DENIED
    assert (waiting.error or {})["code"] == "tool_changed"
    (row,) = submit(session, a_request("delete_path", arguments={}))
    assert (row.error or {})["code"] == "tool_changed"


def test_what_may_have_left_is_not_called_denied(session: Session, laptop: Device) -> None:
    (sent,) = submit(session, a_request())

    devices.store_profile(session, "laptop", a_profile(tools=[]), now=later(1))
    commands.withdraw(session, "laptop", now=later(1))

    assert sent.status == Status.QUEUED


def test_a_plan_has_a_limit(session: Session, laptop: Device) -> None:
    with pytest.raises(Conflict):
        submit(session, *[a_request()] * (commands.MAX_STEPS + 1))


def test_the_audit_line_holds_no_arguments(session: Session, laptop: Device) -> None:
    submit(session, a_request(arguments={"path": "Secret-name"}))

    lines = [notice.line for notice in notices.of(session) if isinstance(notice, notices.Audited)]
    assert lines
    assert "Secret-name" not in str(lines)
    assert audit.entries(session, action="decision")[0].tool == "create_directory"

"""A run: ordered once, as its owner, with what they may then; and what stops it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from controller import timetable
from controller.errors import Conflict, Refused
from controller.services import approvals, devices, schedules, users
from controller.services.accounts import grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.orders import Status
from controller.services.rollouts import Pace
from controller.services.schedules import KEPT, Missed, Order
from controller.services.users import UserRole
from controller.store.tables import ApprovalRow, AuditEntry, Device, EventRow, Schedule, ScheduleRun
from tests.controller.services.schedules.planned import SIX, actions, add, ordered, ran, sweep
from tests.factories import ADMIN, NOON, OPERATOR, a_place, a_presence, a_profile, a_request

DAY = timedelta(days=1)


def test_what_is_due_is_ordered_once_and_comes_again(session: Session, schedule: Schedule) -> None:
    sweep(session, SIX - timedelta(seconds=1))
    assert ordered(session) == []

    for _ in range(3):
        sweep(session, SIX)

    (command,) = ordered(session)
    assert (command.requested_by, command.via, command.role) == ("otto", "schedule", "operator")
    assert (command.status, command.tool_name) == (Status.QUEUED, "create_directory")
    assert command.expires_at == SIX + timedelta(seconds=60)
    assert [(run.planned_at, run.outcome, run.command_id) for run in ran(session)] == [
        (SIX, "ordered", command.id)
    ]
    assert (schedule.next_run_at, schedule.last_command_id) == (SIX + DAY, command.id)


def test_a_command_of_a_run_is_on_record_as_its_owners(session: Session, schedule: Schedule) -> None:
    sweep(session, SIX)

    (entry,) = session.exec(select(AuditEntry).where(AuditEntry.action == "decision.allow"))
    assert (entry.actor, entry.via, entry.command_id) == ("otto", "schedule", ordered(session)[0].id)


def test_a_tool_that_policy_asks_about_waits_for_a_person(
    session: Session, laptop: Device, otto: str
) -> None:
    schedule = add(session, tool="delete_path", arguments={"path": "Test"})

    sweep(session, SIX)

    assert [command.status for command in ordered(session)] == [Status.AWAITING_APPROVAL]
    assert schedule.paused_at is None


def test_a_run_is_skipped_while_the_one_before_it_waits_for_a_yes(
    session: Session, laptop: Device, otto: str
) -> None:
    schedule = add(session, cron="* * * * *", tool="delete_path", arguments={"path": "Test"})
    first, second, third = (NOON + timedelta(minutes=minute) for minute in (1, 2, 3))

    sweep(session, first)
    sweep(session, second)

    (asked,) = ordered(session)
    assert [(run.outcome, run.command_id, run.reason) for run in ran(session)] == [
        ("ordered", asked.id, None),
        ("skipped", None, "The run before it waits for a yes."),
    ]
    assert (schedule.paused_at, schedule.next_run_at) == (None, third)

    approvals.decide(session, asked.approval_id or "", approve=False, actor=ADMIN, now=second)
    session.flush()
    sweep(session, third)

    assert [command.status for command in ordered(session)] == [Status.DENIED, Status.AWAITING_APPROVAL]


def test_a_group_is_asked_about_once_at_a_time(session: Session, laptop: Device, otto: str) -> None:
    devices.change(session, "laptop", devices.PolicyChange(groups=("garden",)), actor=ADMIN, now=NOON)
    session.flush()
    request = a_request(device_id="", tool="delete_path", arguments={"path": "Test"})
    add(session, cron="* * * * *", order=Order(request, "garden"))

    for minute in (1, 2, 3):
        sweep(session, NOON + timedelta(minutes=minute))

    assert [run.outcome for run in ran(session)] == ["ordered", "skipped", "skipped"]
    assert len(session.exec(select(ApprovalRow)).all()) == 1


def test_of_all_that_were_missed_one_is_asked_about(session: Session, laptop: Device, otto: str) -> None:
    every = "*/10 * * * *"
    add(session, cron=every, missed=Missed.ALL, tool="delete_path", arguments={"path": "Test"})

    sweep(session, NOON + timedelta(minutes=35))

    assert [run.outcome for run in ran(session)] == ["ordered", "skipped", "skipped"]
    assert len(ordered(session)) == 1


def test_a_device_that_is_away_pauses_nothing(session: Session, schedule: Schedule) -> None:
    devices.store_presence(session, "laptop", a_presence("offline"), now=NOON)
    sweep(session, SIX)

    assert schedule.paused_at is None
    assert ran(session)[0].outcome == "ordered"


def disabled(session: Session) -> None:
    users.disable(session, "otto", actor=ADMIN, now=NOON)


def removed(session: Session) -> None:
    users.remove(session, "otto", actor=ADMIN, now=NOON)


def replaced(session: Session) -> None:
    users.remove(session, "otto", actor=ADMIN, now=NOON)
    session.flush()
    users.add(session, "otto", UserRole.ADMIN, actor=ADMIN, now=NOON + timedelta(hours=1))


def lowered(session: Session) -> None:
    users.change_role(session, "otto", UserRole.VIEWER, actor=ADMIN, now=NOON)


def narrowed(session: Session) -> None:
    devices.change(session, "laptop", devices.PolicyChange(allowed_tools=()), actor=ADMIN, now=NOON)


def gone(session: Session) -> None:
    devices.remove(session, "laptop", actor=ADMIN, now=NOON)


def withdrawn(session: Session) -> None:
    devices.store_profile(session, "laptop", a_profile(tools=[]), now=NOON)


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (disabled, "otto is not let in"),
        (removed, "no user 'otto'"),
        (replaced, "somebody else"),
        (lowered, "viewer may not"),
        (narrowed, "not among the tools"),
        (gone, "There is no device 'laptop'"),
        (withdrawn, "does not offer 'create_directory'"),
    ],
)
def test_what_will_not_be_allowed_the_next_time_either_is_said_once_and_pauses(
    session: Session, schedule: Schedule, happens: Callable[[Session], None], said: str
) -> None:
    happens(session)
    session.flush()

    sweep(session, SIX)
    sweep(session, SIX + DAY)

    assert schedule.next_run_at is None
    assert schedule.paused_by == "system"
    assert said in (schedule.paused_why or "")
    (run,) = ran(session)
    assert (run.outcome, run.reason) == ("refused", schedule.paused_why)
    assert [command.status for command in ordered(session)] in ([], [Status.DENIED])
    assert actions(session) == [
        ("schedule.added", "otto", "api"),
        ("schedule.paused", "system", "automation"),
    ]
    told = session.exec(select(EventRow.data).where(EventRow.device_id == "laptop")).all()
    expected = [] if happens is gone else [{"code": "schedule_paused", "schedule_id": schedule.id}]
    assert told == expected


def test_a_grant_that_was_taken_back_is_a_right_that_was_lost(session: Session, laptop: Device) -> None:
    users.add(session, "gus", UserRole.GUEST, actor=ADMIN, now=NOON)
    session.flush()
    grants.give(session, "gus", Place("laptop"), Role.OPERATOR, actor=ADMIN, now=NOON)
    session.flush()
    gus = schedules.Order(a_request())
    actor = OPERATOR.__class__("gus", Role.GUEST, OPERATOR.via, (grants.of(grants.listed(session)[0]),))
    schedule = add(session, actor=actor, order=gus)
    sweep(session, SIX)
    assert ordered(session)[0].status == Status.QUEUED

    grants.take(session, "gus", Place("laptop"), actor=ADMIN, now=NOON)
    session.flush()
    sweep(session, SIX + DAY)

    assert schedule.paused_why == "There is no device 'laptop'."


def test_one_that_was_resumed_runs_from_its_next_time_on(session: Session, schedule: Schedule) -> None:
    disabled(session)
    session.flush()
    sweep(session, SIX)
    with pytest.raises(Refused):
        schedules.resume(session, schedule, actor=ADMIN, now=SIX, following=timetable.following)
    users.enable(session, "otto", actor=ADMIN, now=SIX)

    later = SIX + 3 * DAY + timedelta(hours=1)
    schedules.resume(session, schedule, actor=ADMIN, now=later, following=timetable.following)
    sweep(session, later)

    assert (schedule.next_run_at, ordered(session)) == (SIX + 4 * DAY, [])
    sweep(session, SIX + 4 * DAY)
    assert len(ordered(session)) == 1


def test_a_group_is_ordered_at_its_pace_and_is_who_is_in_it_then(session: Session, otto: str) -> None:
    for name in ("pump-1", "pump-2"):
        devices.add(session, a_place(name, groups=("garden",)), actor=ADMIN, now=NOON)
        devices.store_profile(session, name, a_profile(name), now=NOON)
    session.flush()
    order = Order(a_request(device_id=""), "garden", Pace(stop_after=3))
    schedule = add(session, order=order)

    sweep(session, SIX)
    parent, *children = sorted(ordered(session), key=lambda each: each.device_id)
    assert (parent.group_name, [each.device_id for each in children]) == ("garden", ["pump-1", "pump-2"])
    assert parent.rollout is not None
    assert parent.rollout["stop_after"] == 3
    assert ran(session)[0].command_id == parent.id

    for name in ("pump-1", "pump-2"):
        devices.remove(session, name, actor=ADMIN, now=SIX)
    session.flush()
    sweep(session, SIX + DAY)
    assert "There is no group 'garden'" in (schedule.paused_why or "")


def test_a_group_has_no_device_to_raise_it_on_so_the_log_says_it_once(
    session: Session, laptop: Device, otto: str, caplog: pytest.LogCaptureFixture
) -> None:
    devices.change(session, "laptop", devices.PolicyChange(groups=("garden",)), actor=ADMIN, now=NOON)
    session.flush()
    schedule = add(session, order=Order(a_request(device_id=""), "garden"))
    disabled(session)
    session.flush()

    sweep(session, SIX)
    sweep(session, SIX + DAY)

    said = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert said == [f"Schedule {schedule.id} of otto paused itself, see: orion schedules show {schedule.id}"]
    assert session.exec(select(EventRow)).all() == []


def test_the_last_runs_are_kept_and_no_more(session: Session, laptop: Device, otto: str) -> None:
    schedule = add(session, cron="* * * * *", tool="system_info")
    for minute in range(1, KEPT + 6):
        sweep(session, NOON + timedelta(minutes=minute))

    found, statuses = schedules.runs(session, schedule.id)
    assert len(session.exec(select(ScheduleRun)).all()) == len(found) == KEPT
    assert found[0].planned_at == NOON + timedelta(minutes=KEPT + 5)
    assert len(statuses) == KEPT


def test_somebody_has_so_many_at_most(session: Session, laptop: Device, otto: str) -> None:
    for _ in range(schedules.MOST):
        add(session)
    with pytest.raises(Conflict, match="remove one first"):
        add(session)

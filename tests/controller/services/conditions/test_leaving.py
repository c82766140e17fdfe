"""An answer counts for this leaving only: not for a device that went, nor when it comes too late."""

from sqlmodel import Session

from controller.services import commands, conditions, devices, settling
from controller.services.orders import Status
from controller.store.tables import Device
from tests.controller.services.conditions.questions import EXISTS, answer, question, submit
from tests.factories import ADMIN, NOON, a_presence, a_reply, a_request, later


def test_a_device_that_goes_while_it_is_asked_is_waited_for_and_asked_anew(
    session: Session, laptop: Device
) -> None:
    row = submit(session, when_online=True, valid_s=600.0)
    first = question(session, row)
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    settling.expire(session, now=first.expires_at + (later(200) - NOON))
    assert (row.status, row.follows) == (Status.WAITING, None)
    devices.store_presence(session, "laptop", a_presence(at=later(300)), now=later(300))
    settling.device_came(session, "laptop", now=later(300))
    second = question(session, row)
    settling.settle(session, "laptop", a_reply(first.id, result={"exists": True}), now=later(301))

    assert second.id != first.id
    assert row.released_at is None  # an earlier answer lets nothing leave
    answer(session, row, at=302, exists=True)
    assert row.released_at == later(302)


def test_an_answer_that_comes_when_the_device_has_gone_lets_nothing_leave(
    session: Session, laptop: Device
) -> None:
    row = submit(session)
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    answer(session, row, exists=True)

    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "device_offline")


def test_an_order_expires_while_its_question_is_out(session: Session, laptop: Device) -> None:
    row = submit(session, valid_s=20.0)

    assert not settling.due(session, now=later(19))
    settling.expire(session, now=later(20))
    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "expired")

    answer(session, row, at=21, exists=True)
    assert (row.status, row.released_at) == (Status.EXPIRED, None)


def test_a_question_runs_no_longer_than_the_order_may_wait(session: Session, laptop: Device) -> None:
    asking = question(session, submit(session, valid_s=20.0))

    assert (asking.valid_s, asking.timeout_s, asking.expires_at) == (20.0, 20.0, later(20))


def test_an_answer_at_the_last_moment_is_too_late(session: Session, laptop: Device) -> None:
    row = submit(session, valid_s=20.0)

    answer(session, row, at=20, exists=True)

    assert (row.status, row.released_at) == (Status.EXPIRED, None)


def test_cancelled_while_its_device_is_asked_it_never_leaves(session: Session, laptop: Device) -> None:
    row = submit(session)

    commands.cancel(session, row.id, actor=ADMIN, now=later(1))
    answer(session, row, at=2, exists=True)

    assert (row.status, row.released_at) == (Status.CANCELLED, None)


def test_a_step_of_a_plan_asks_when_its_turn_comes(session: Session, laptop: Device) -> None:
    plan = [a_request(), a_request(arguments={"path": "B"}, condition=EXISTS)]
    first, second = commands.submit_plan(session, plan, actor=ADMIN, now=NOON)
    assert conditions.checked_by(second) is None

    settling.settle(session, "laptop", a_reply(first.id), now=later(1))
    answer(session, second, at=2, exists=True)

    assert second.released_at == later(2)

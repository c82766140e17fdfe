"""Codes of programs without a browser: each thing that RFC 8628 has them told, and that each is good once."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from controller.errors import TooManyWaiting
from controller.services import audit, users
from controller.services.accounts import devicecodes, signins
from controller.services.accounts.devicecodes import (
    Begun,
    CodeDecided,
    UnknownCode,
    Verdict,
)
from controller.services.actors import Actor, Role
from controller.services.users import UserRole
from controller.store.tables import DeviceCode, SignIn
from schemas.commands import Via
from tests.factories import ADMIN, NOON

MIA = Actor("mia", Role.OPERATOR, Via.API)
MAX = Actor("max", Role.OPERATOR, Via.API)
OVER = NOON + devicecodes.LIVES


@pytest.fixture(autouse=True)
def people(session: Session) -> None:
    for actor in (MIA, MAX):
        users.add(session, actor.user, UserRole.OPERATOR, actor=ADMIN, now=NOON)
    session.flush()


def begun(session: Session, *, place: str = "somewhere", now: datetime = NOON) -> Begun:
    """A program that waits."""
    made = devicecodes.begin(session, client="a lamp", address="192.0.2.1", place=place, now=now)
    session.flush()
    return made


def asked(
    session: Session, code: str, *, after_s: float = 0.0, client: str = "a lamp"
) -> signins.Opened | Verdict:
    """What it is told when it looks."""
    now = NOON + timedelta(seconds=after_s)
    found = devicecodes.redeem(session, code, client=client, address="192.0.2.1", now=now)
    session.flush()
    return found


def said(
    session: Session, program: Begun, *, approve: bool, by: Actor = MIA, now: datetime = NOON
) -> DeviceCode:
    """Somebody's answer, typed as people type."""
    code = devicecodes.typed(program.user_code.lower().replace("-", " "))
    return devicecodes.decide(session, code, approve=approve, by=by, now=now)


def test_a_yes_lets_it_in_once_as_who_said_it(session: Session) -> None:
    program = begun(session)
    before = asked(session, program.device_code)
    said(session, program, approve=True)

    opened = asked(session, program.device_code, after_s=5)

    assert before is Verdict.PENDING
    assert isinstance(opened, signins.Opened)
    assert opened.username == "mia"
    assert signins.renew(session, opened.refresh_token, now=NOON) is not None


def test_a_code_that_is_shown_again_ends_what_it_opened(session: Session) -> None:
    program = begun(session)
    said(session, program, approve=True)
    opened = asked(session, program.device_code)
    assert isinstance(opened, signins.Opened)

    again = asked(session, program.device_code)

    assert again is Verdict.NONE
    assert session.get_one(SignIn, opened.sign_in_id).ended_why == "reused"
    assert signins.renew(session, opened.refresh_token, now=NOON) is None


def test_a_no_is_told(session: Session) -> None:
    program = begun(session)
    said(session, program, approve=False)

    assert [asked(session, program.device_code) for _ in range(2)] == [Verdict.DENIED] * 2


def test_after_ten_minutes_neither_of_the_two_codes_is_good(session: Session) -> None:
    late, approved = begun(session), begun(session)
    said(session, approved, approve=True, now=OVER - timedelta(seconds=1))

    with pytest.raises(UnknownCode):
        said(session, late, approve=True, now=OVER)
    assert asked(session, late.device_code, after_s=600) is Verdict.EXPIRED
    assert asked(session, approved.device_code, after_s=600) is Verdict.EXPIRED


def test_who_looks_too_often_is_told_and_waits_longer_each_time(session: Session) -> None:
    code = begun(session).device_code

    found = [asked(session, code, after_s=at) for at in (0, 3, 8, 22.9, 37)]

    pending, slow = Verdict.PENDING, Verdict.TOO_SOON
    assert found == [pending, slow, slow, pending, pending]  # 5 s at first, then 10, then 15


def test_who_looks_as_often_as_told_is_not_slowed(session: Session) -> None:
    code = begun(session).device_code

    assert [asked(session, code, after_s=at) for at in (0, 4.2, 9.2, 14.2)] == [Verdict.PENDING] * 4


def test_only_the_program_that_began_it_is_let_in(session: Session) -> None:
    program = begun(session)
    said(session, program, approve=True)

    assert asked(session, program.device_code, client="another lamp") is Verdict.NONE
    assert asked(session, "x" * 43) is Verdict.NONE
    assert asked(session, program.user_code) is Verdict.NONE
    assert isinstance(asked(session, program.device_code), signins.Opened)


@pytest.mark.parametrize("second", [True, False])
def test_the_first_answer_counts(session: Session, *, second: bool) -> None:
    program = begun(session)
    said(session, program, approve=True)

    with pytest.raises(CodeDecided):
        said(session, program, approve=second, by=MAX)

    opened = asked(session, program.device_code)
    assert isinstance(opened, signins.Opened)
    assert opened.username == "mia"


@pytest.mark.parametrize("how", ["disabled", "password", "role"])
def test_whoever_is_shut_out_takes_their_yes_along(session: Session, how: str) -> None:
    program = begun(session)
    said(session, program, approve=True)
    session.flush()

    if how == "disabled":
        users.disable(session, "mia", actor=ADMIN, now=NOON)
    elif how == "password":
        users.set_password(session, "mia", "x", once=False, actor=ADMIN, now=NOON)
    else:
        users.change_role(session, "mia", UserRole.HOME_ASSISTANT, actor=ADMIN, now=NOON)
    session.expire_all()

    assert asked(session, program.device_code) is Verdict.DENIED


def test_an_answer_belongs_to_who_was_shown_it_last(session: Session) -> None:
    program = begun(session)
    code = devicecodes.typed(program.user_code)
    for actor in (MIA, MAX):
        assert devicecodes.show(session, code, actor.user, f"proof of {actor.user}", now=NOON) is not None
    session.flush()

    def answer(proof: str, by: Actor) -> DeviceCode | None:
        return devicecodes.decide_shown(session, proof, approve=True, by=by, now=NOON)

    assert answer("proof of mia", MIA) is None
    assert answer("proof of max", MIA) is None
    decided = answer("proof of max", MAX)
    session.flush()
    assert decided is not None
    assert decided.username == "max"
    assert answer("proof of max", MAX) is None


def test_so_many_wait_and_no_more(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devicecodes, "MOST_OPEN", 4)
    monkeypatch.setattr(devicecodes, "MOST_OF_ONE_PLACE", 2)
    first = begun(session, place="a")
    begun(session, place="a")

    with pytest.raises(TooManyWaiting):
        begun(session, place="a")
    begun(session, place="b")
    begun(session, place="c")
    with pytest.raises(TooManyWaiting):
        begun(session, place="d")
    said(session, first, approve=False)
    begun(session, place="d")
    begun(session, place="a", now=OVER)  # by then the others are over


def test_what_is_long_over_is_forgotten(session: Session) -> None:
    program = begun(session)
    devicecodes.forget_old(session, now=OVER + devicecodes.TOLD_FOR + timedelta(seconds=1))
    session.expire_all()

    assert not devicecodes.is_known(session, program.device_code)


def test_neither_the_long_code_nor_a_proof_is_kept(session: Session) -> None:
    program = begun(session)
    devicecodes.show(session, devicecodes.typed(program.user_code), "mia", "the proof", now=NOON)
    session.flush()

    kept = str([row.model_dump() for row in session.exec(select(DeviceCode))])
    assert program.device_code not in kept
    assert "the proof" not in kept


def test_what_was_answered_is_on_record_with_who_asked(session: Session) -> None:
    said(session, begun(session), approve=True)
    said(session, begun(session), approve=False, by=MAX)

    rows = audit.entries(session, action="user.device_")
    assert [(row.actor, row.action) for row in rows] == [
        ("max", "user.device_denied"),
        ("mia", "user.device_approved"),
    ]
    assert rows[0].detail == {"client": "a lamp", "address": "192.0.2.1"}


def test_the_short_code_has_letters_that_nobody_takes_for_others(session: Session) -> None:
    codes = {begun(session, place=str(number)).user_code for number in range(50)}

    assert len(codes) == 50
    assert all(len(code) == 9 and code[4] == "-" for code in codes)
    assert set("".join(codes)) <= set(devicecodes.LETTERS) | {"-"}
    assert devicecodes.typed(" bcdf ghjk\u0131 ") == "BCDFGHJK"

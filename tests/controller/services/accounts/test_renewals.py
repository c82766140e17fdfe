"""Renewing a sign-in: an answer that was lost costs nothing, a token that was stolen ends it for both."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from controller.services import users
from controller.services.accounts import signins
from controller.services.users import UserRole
from controller.store.tables import SignIn
from tests.factories import ADMIN, NOON

SOON = NOON + signins.AGAIN_WITHIN - timedelta(milliseconds=1)
LATE = NOON + signins.AGAIN_WITHIN


@pytest.fixture
def first(session: Session) -> str:
    """The token that mia was given when she came in."""
    users.add(session, "mia", UserRole.OPERATOR, actor=ADMIN, now=NOON)
    session.flush()
    return signins.begin(session, "mia", client="a test", address="", how="password", now=NOON).refresh_token


def renewed(session: Session, token: str, *, now: datetime = NOON) -> str:
    """The next token, where there is one."""
    opened = signins.renew(session, token, now=now)
    assert opened is not None
    return opened.refresh_token


def ended(session: Session) -> str | None:
    """Why the sign-in is over; None: it goes on."""
    session.flush()
    return session.exec(select(SignIn)).one().ended_why


def test_whoever_asks_again_in_a_moment_goes_on(session: Session, first: str) -> None:
    lost = [renewed(session, first) for _ in range(3)]

    second = renewed(session, first, now=SOON)
    third = renewed(session, second, now=LATE)

    assert len({first, *lost, second, third}) == 6
    assert ended(session) is None


def test_what_was_taken_for_lost_ends_it_when_it_is_shown_after_all(session: Session, first: str) -> None:
    kept_by_a_thief = renewed(session, first)
    second = renewed(session, first)

    assert signins.renew(session, kept_by_a_thief, now=NOON) is None
    assert ended(session) == "reused"
    assert signins.renew(session, second, now=NOON) is None


def test_once_its_successor_was_used_it_ends_it_however_soon(session: Session, first: str) -> None:
    second = renewed(session, first)
    third = renewed(session, second)

    assert signins.renew(session, first, now=NOON) is None
    assert ended(session) == "reused"
    assert signins.renew(session, third, now=NOON) is None


def test_the_moment_is_counted_from_its_first_use(session: Session, first: str) -> None:
    renewed(session, first)
    renewed(session, first, now=SOON)

    assert signins.renew(session, first, now=LATE) is None
    assert ended(session) == "reused"


def test_a_moment_does_not_outlast_the_sign_in(session: Session, first: str) -> None:
    late = NOON + signins.IDLE - timedelta(seconds=1)
    renewed(session, first, now=late)

    assert signins.renew(session, first, now=NOON + signins.IDLE) is None


def test_asking_again_opens_nothing_for_who_was_shut_out(session: Session, first: str) -> None:
    renewed(session, first)
    users.disable(session, "mia", actor=ADMIN, now=NOON)

    assert signins.renew(session, first, now=NOON) is None

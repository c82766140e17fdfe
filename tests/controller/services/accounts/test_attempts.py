"""Who is at an identity provider: how many at once, and that each comes back once, in time, as who left."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, func, select

from controller.errors import TooManyWaiting
from controller.services.accounts import attempts
from controller.store.tables import Attempt
from tests.factories import NOON


def left(session: Session, state: str, *, place: str = "somewhere", now: datetime = NOON) -> None:
    attempts.begin(session, state, browser="theirs", place=place, destination="", user_code="", now=now)
    session.flush()


def back(session: Session, state: str, *, browser: str = "theirs", now: datetime = NOON) -> bool:
    found = attempts.take(session, state, browser=browser, now=now) is not None
    session.flush()
    return found


def test_it_comes_back_once(session: Session) -> None:
    left(session, "a")

    assert [back(session, "a") for _ in range(2)] == [True, False]


def test_another_browser_does_not_come_back_and_ends_it(session: Session) -> None:
    left(session, "a")

    assert not back(session, "a", browser="another")
    assert not back(session, "a")


@pytest.mark.parametrize(
    ("after", "comes"), [(timedelta(minutes=9, seconds=59), True), (attempts.LIVES, False)]
)
def test_it_comes_back_in_time(session: Session, after: timedelta, *, comes: bool) -> None:
    left(session, "a")

    assert back(session, "a", now=NOON + after) == comes


def test_so_many_are_away_and_no_more(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST_OPEN", 3)
    monkeypatch.setattr(attempts, "MOST_OF_ONE_PLACE", 2)
    left(session, "a")
    left(session, "b")

    with pytest.raises(TooManyWaiting):
        left(session, "c")
    left(session, "c", place="elsewhere")
    with pytest.raises(TooManyWaiting):
        left(session, "d", place="far away")
    left(session, "d", now=NOON + attempts.LIVES)  # by then the others are over
    assert session.exec(select(func.count()).select_from(Attempt)).one() == 1

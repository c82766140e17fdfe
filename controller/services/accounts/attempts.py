"""Sign-ins that go by way of an identity provider, while somebody is there: each comes back once, in ten minutes.

What the provider and we know of one another follows from what the browser keeps, so nothing secret is here.
"""

import hashlib
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, func, select

from controller.errors import TooManyWaiting
from controller.store.tables import Attempt

LIVES = timedelta(minutes=10)
MOST_OPEN, MOST_OF_ONE_PLACE = 1_000, 50


def begin(
    session: Session, state: str, *, browser: str, place: str, destination: str, user_code: str, now: datetime
) -> None:
    """Note that somebody leaves. `state`: what they come back with; `browser`: what only theirs knows.

    Raises:
        TooManyWaiting: so many are away already, in all or from there.
    """
    session.execute(delete(Attempt).where(col(Attempt.expires_at) <= now))
    away = select(func.count()).select_from(Attempt)
    if session.exec(away).one() >= MOST_OPEN:
        raise TooManyWaiting
    if session.exec(away.where(col(Attempt.place) == place)).one() >= MOST_OF_ONE_PLACE:
        raise TooManyWaiting
    session.add(
        Attempt(
            state_hash=_hash(state),
            browser_hash=_hash(browser),
            place=place,
            destination=destination,
            user_code=user_code,
            expires_at=now + LIVES,
        )
    )


def take(session: Session, state: str, *, browser: str, now: datetime) -> Attempt | None:
    """Who left with this; None: nobody, or too long ago, or in another browser. It comes back once."""
    row = session.get(Attempt, _hash(state), with_for_update=True)
    if row is None:
        return None
    session.delete(row)
    return row if row.browser_hash == _hash(browser) and now < row.expires_at else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

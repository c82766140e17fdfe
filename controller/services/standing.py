"""Somebody as they stand at this moment: their role, what was granted to them, what their key leaves.

Each look-up is one statement, so that it can be made at every request.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from controller.services import users
from controller.services.accounts import apikeys, grants
from controller.services.accounts.apikeys import Shown
from controller.services.actors import Actor, KeyBounds
from controller.store.tables import ApiKey, GrantRow, SignIn, User
from schemas.commands import Via


def by_name(session: Session, username: str, via: Via) -> Actor | None:
    """Who has this name; None: nobody, or nobody who may ask for anything."""
    query = (
        select(User, GrantRow)
        .outerjoin(GrantRow, col(GrantRow.username) == col(User.username))
        .where(col(User.username) == username)
    )
    return _actor(session.exec(query).all(), via)


def by_sign_in(session: Session, sign_in_id: str, via: Via) -> Actor | None:
    """Who is signed in there; None: nobody any more."""
    query = (
        select(User, GrantRow)
        .join(SignIn, col(SignIn.username) == col(User.username))
        .outerjoin(GrantRow, col(GrantRow.username) == col(User.username))
        .where(col(SignIn.id) == sign_in_id, col(SignIn.ended_at).is_(None))
    )
    return _actor(session.exec(query).all(), via)


def by_key(session: Session, shown: Shown, via: Via, *, now: datetime) -> tuple[Actor, ApiKey] | None:
    """Whose key this is, with what it leaves of their rights; None: it opens nothing."""
    query = (
        select(User, GrantRow, ApiKey)
        .join(ApiKey, col(ApiKey.username) == col(User.username))
        .outerjoin(GrantRow, col(GrantRow.username) == col(User.username))
        .where(col(ApiKey.id) == shown.key_id)
    )
    rows = session.exec(query).all()
    if not rows:
        return None
    key = rows[0][2]
    if not hmac.compare_digest(key.hash, shown.hash) or not apikeys.opens(key, now=now):
        return None
    actor = _actor([(user, grant) for user, grant, _ in rows], via, apikeys.bounds(key))
    return None if actor is None else (actor, key)


def again(session: Session, username: str, via: Via, key_id: str | None, *, now: datetime) -> Actor | None:
    """Who asked for something earlier, with the rights of now; None: they or their key may come in no more."""
    actor = by_name(session, username, via)
    if actor is None or key_id is None:
        return actor
    key = session.get(ApiKey, key_id)
    if key is None or not apikeys.opens(key, now=now):
        return None
    return Actor(actor.user, actor.role, actor.via, actor.grants, apikeys.bounds(key))


def _actor(
    rows: Sequence[tuple[User, GrantRow | None]], via: Via, key: KeyBounds | None = None
) -> Actor | None:
    if not rows or rows[0][0].disabled_at is not None:
        return None
    user = rows[0][0]
    role = users.speaking(user)
    if role is None:
        return None
    granted = tuple(grants.of(grant) for _, grant in rows if grant is not None)
    return Actor(user.username, role, via, granted, key)

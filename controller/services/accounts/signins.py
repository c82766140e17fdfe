"""Sign-ins: each is a family of refresh tokens, of which only the newest opens anything.

An older one that is shown again was stolen, or the newer one was: nobody can tell which, so the
sign-in ends for both. An answer that was lost on its way is no theft: for a moment the older one is
taken again, and what that answer held is void. Tokens are random, so their SHA-256 is all that is kept.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, update

from controller.services import audit
from controller.services.actors import Actor, Role
from controller.store import notices
from controller.store.tables import DeviceCode, RefreshToken, SignIn, User
from schemas.commands import Via
from schemas.ids import new_id
from schemas.wire import JsonObject

IDLE = timedelta(days=14)  # after which a token that was not used opens nothing
LONGEST = timedelta(days=90)  # after which a password is asked for again
AGAIN_WITHIN = timedelta(seconds=30)  # in which a renewal whose answer was lost is asked for again
_ENDS = {"signed_out": "user.signed_out", "reused": "user.token_reused"}  # why, and as the audit has it


@dataclass(frozen=True, slots=True)
class Opened:
    """A sign-in that goes on, and the token that the next renewal is to show."""

    sign_in_id: str
    username: str
    refresh_token: str


def begin(session: Session, username: str, *, client: str, address: str, how: str, now: datetime) -> Opened:
    """Let somebody in who has shown who they are. `how`: for the record."""
    row = SignIn(
        id=new_id(), username=username, client=client[:100], address=address, begun_at=now, used_at=now
    )
    session.add(row)
    session.flush()
    user = session.get_one(User, username)
    _record(session, "user.signed_in", user, row, now=now, how=how)
    return Opened(row.id, username, _token(session, row, now=now))


def is_known(session: Session, token: str) -> bool:
    """Whether it is a refresh token of ours, used up or not."""
    return session.get(RefreshToken, _hash(token)) is not None


def renew(session: Session, token: str, *, now: datetime) -> Opened | None:
    """The next token for this one, which is used up; None: it opens nothing.

    A token that was used up already ends its sign-in, unless that was a moment ago and nobody has used
    its successor yet: that one is void from then on, and ends the sign-in if it is shown after all.
    Either is a change, so this is no error.
    """
    shown = session.get(RefreshToken, _hash(token), with_for_update=True)
    row = None if shown is None else session.get_one(SignIn, shown.sign_in_id)
    if shown is None or row is None or row.ended_at is not None:
        return None
    user = session.get_one(User, row.username)
    lost = None
    if shown.used_at is not None:
        lost = _lost(session, shown, now=now)
        if lost is None:
            _end(session, user, row, "reused", now=now)
            return None
    if user.disabled_at is not None or now >= shown.expires_at:
        return None
    if lost is not None:
        lost.used_at = now
    shown.used_at = shown.used_at or now
    row.used_at = now
    session.flush()
    following = _token(session, row, now=now)
    shown.successor = _hash(following)
    return Opened(row.id, row.username, following)


def end(session: Session, sign_in_id: str, *, why: str = "signed_out", now: datetime) -> None:
    """Sign out: none of its tokens opens anything any more. One that is over stays so."""
    row = session.get(SignIn, sign_in_id)
    if row is not None and row.ended_at is None:
        _end(session, session.get_one(User, row.username), row, why, now=now)


def end_by_token(session: Session, token: str, *, now: datetime) -> None:
    """The same by any of its refresh tokens, used up or not; an unknown one ends nothing."""
    shown = session.get(RefreshToken, _hash(token))
    if shown is not None:
        end(session, shown.sign_in_id, now=now)


def end_all(session: Session, username: str | None = None, *, why: str, now: datetime) -> None:
    """Everything that somebody has open or let a program have; None: anybody. Why is on record elsewhere."""
    open_ones: list[ColumnElement[bool]] = [col(SignIn.ended_at).is_(None)]
    promised: list[ColumnElement[bool]] = [col(DeviceCode.status) == "approved"]
    if username is not None:
        open_ones.append(col(SignIn.username) == username)
        promised.append(col(DeviceCode.username) == username)
        notices.announce(session, notices.RightsChanged(username))
    session.execute(update(SignIn).where(*open_ones).values(ended_at=now, ended_why=why))
    session.execute(update(DeviceCode).where(*promised).values(status="denied"))


def forget_old(session: Session, *, now: datetime) -> None:
    """Delete what can open nothing any more, some time after it could."""
    session.execute(delete(RefreshToken).where(col(RefreshToken.expires_at) < now - LONGEST))
    session.execute(delete(SignIn).where(col(SignIn.begun_at) < now - 2 * LONGEST))


def _token(session: Session, row: SignIn, *, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    expires_at = min(now + IDLE, row.begun_at + LONGEST)
    session.add(RefreshToken(hash=_hash(token), sign_in_id=row.id, issued_at=now, expires_at=expires_at))
    return token


def _lost(session: Session, used: RefreshToken, *, now: datetime) -> RefreshToken | None:
    """What took its place and has not been shown yet, while it may be that the answer was lost."""
    if used.used_at is None or used.successor is None or not now - used.used_at < AGAIN_WITHIN:
        return None
    following = session.get(RefreshToken, used.successor)
    return following if following is not None and following.used_at is None else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _end(session: Session, user: User, row: SignIn, why: str, *, now: datetime) -> None:
    row.ended_at, row.ended_why = now, why
    _record(session, _ENDS[why], user, row, now=now)
    notices.announce(session, notices.RightsChanged(user.username))


def _record(session: Session, action: str, user: User, row: SignIn, *, now: datetime, **more: str) -> None:
    detail: JsonObject = {"sign_in_id": row.id, "client": row.client, "address": row.address, **more}
    actor = Actor(user.username, Role(user.role), Via.API)
    audit.record(session, action, now=now, actor=actor, detail=detail)

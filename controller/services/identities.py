"""Who at an identity provider is which user here: said by an administrator, or by a rule for new ones.

Bound is the provider's own word for somebody, (issuer, subject), which it gives to nobody else. A name or an
address there is never enough to be somebody here: both can be chosen, and given to somebody else later.
"""

import re
from datetime import datetime

from sqlmodel import Session, col, select

from controller.errors import AlreadyExists, InvalidArguments, NotLinked, Refused
from controller.services import audit, users
from controller.services.accounts import signins
from controller.services.actors import Actor, Role
from controller.services.users import UserRole
from controller.store.tables import Identity, User
from schemas.commands import Via
from schemas.ids import USERNAME
from schemas.wire import JsonObject


def user_of(session: Session, issuer: str, subject: str, *, now: datetime) -> User | None:
    """Whom this person at the provider is here; None: nobody."""
    row = session.get(Identity, (issuer, subject))
    if row is None:
        return None
    row.used_at = now
    return session.get_one(User, row.username)


def link(
    session: Session, username: str, issuer: str, subject: str, *, actor: Actor, now: datetime
) -> Identity:
    """Let somebody sign in as who they are at the provider.

    Raises:
        UnknownUser: nobody has that name.
        Refused: it is a program that speaks at the broker alone.
        AlreadyExists: that person is a user here already.
    """
    user = users.get(session, username)
    if users.speaking(user) is None:
        raise Refused(f"{username} speaks at the broker alone and signs in nowhere.")
    known = session.get(Identity, (issuer, subject))
    if known is not None:
        raise AlreadyExists(f"{subject} at {issuer} is {known.username} here already.")
    row = Identity(issuer=issuer, subject=subject, username=username, linked_by=actor.user, linked_at=now)
    session.add(row)
    _record(session, "user.linked", row, actor=actor, now=now)
    return row


def unlink(
    session: Session, username: str, issuer: str, subject: str, *, actor: Actor, now: datetime
) -> None:
    """Let somebody sign in so no more; what they have open is over.

    Raises:
        NotLinked: they are not that person.
    """
    row = session.get(Identity, (issuer, subject))
    if row is None or row.username != username:
        raise NotLinked(username, issuer, subject)
    session.delete(row)
    signins.end_all(session, username, why="unlinked", now=now)
    _record(session, "user.unlinked", row, actor=actor, now=now)


def admit(session: Session, name: str, issuer: str, subject: str, role: UserRole, *, now: datetime) -> User:
    """Make somebody a user whom the provider vouches for.

    A name that is somebody's here already stays theirs, whoever has it there.

    Raises:
        InvalidArguments: users have no such name.
        AlreadyExists: it is somebody else's, or that person is a user here already.
        Refused: it is kept for a part of Orion.
    """
    if re.fullmatch(USERNAME, name) is None:
        raise InvalidArguments(f"The name {name[:64]!r} is none that users have here.")
    actor = Actor(name, Role(role.value), Via.API)
    user = users.add(session, name, role, actor=actor, now=now)
    session.flush()
    link(session, name, issuer, subject, actor=actor, now=now)
    return user


def listed(session: Session, username: str | None = None) -> list[Identity]:
    """Who somebody is at which provider; None: who everybody is."""
    query = select(Identity).order_by(col(Identity.issuer), col(Identity.subject))
    if username is not None:
        query = query.where(col(Identity.username) == username)
    return list(session.exec(query))


def _record(session: Session, action: str, row: Identity, *, actor: Actor, now: datetime) -> None:
    detail: JsonObject = {"username": row.username, "issuer": row.issuer, "subject": row.subject}
    audit.record(session, action, now=now, actor=actor, detail=detail)

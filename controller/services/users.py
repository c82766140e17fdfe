"""People and programs that speak to the controller over MQTT, and what each may reach at most.

A name is one person's for as long as the row is there. Devices, controllers and the
administrator's token have names too, and nobody else gets one of those.
"""

import re
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from controller.errors import AlreadyExists, Refused, UnknownUser
from controller.services import audit, devices, names
from controller.services.actors import Actor, Role
from controller.store.tables import User
from schemas.wire import JsonObject

# the bearer of the token, the controller itself, and those that only a broker knows
RESERVED = re.compile(r"admin|system|(controller|join)-.*|(probe|debug)(\..*)?", re.IGNORECASE)


class UserRole(StrEnum):
    """What somebody is let in as."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    HOME_ASSISTANT = "home_assistant"  # a program with a root of its own; it asks and decides nothing


def add(session: Session, username: str, role: UserRole, *, actor: Actor, now: datetime) -> User:
    """Give somebody a name here.

    Raises:
        Refused: the name is kept for a part of Orion.
        AlreadyExists: a user or a device has it.
    """
    if RESERVED.fullmatch(username):
        raise Refused(f"The name {username!r} is kept for a part of Orion.")
    if names.is_users(session, username):
        raise AlreadyExists(f"There is a user {username!r} already.")
    if devices.find(session, username) is not None:
        raise AlreadyExists(f"There is a device {username!r}: users and devices share their names.")
    row = User(username=username, role=role.value, added_by=actor.user, added_at=now)
    session.add(row)
    _record(session, "user.added", row, actor=actor, now=now)
    return row


def get(session: Session, username: str) -> User:
    """One user.

    Raises:
        UnknownUser: nobody has that name.
    """
    row = session.get(User, username)
    if row is None:
        raise UnknownUser(username)
    return row


def listed(session: Session) -> list[User]:
    """All users by name."""
    return list(session.exec(select(User).order_by(col(User.username))))


def change_role(session: Session, username: str, role: UserRole, *, actor: Actor, now: datetime) -> User:
    """Let somebody reach more or less from now on.

    Raises:
        UnknownUser: nobody has that name.
    """
    row = get(session, username)
    before, row.role = row.role, role.value
    _record(session, "user.role_changed", row, actor=actor, now=now, before=before)
    return row


def remove(session: Session, username: str, *, actor: Actor, now: datetime) -> None:
    """Take somebody's name away; what they did stays on record.

    Raises:
        UnknownUser: nobody has that name.
    """
    row = get(session, username)
    session.delete(row)
    _record(session, "user.removed", row, actor=actor, now=now)


def note_rotation(session: Session, username: str, *, actor: Actor, now: datetime) -> None:
    """Put on record that somebody got a new password.

    Raises:
        UnknownUser: nobody has that name.
    """
    _record(session, "user.rotated", get(session, username), actor=actor, now=now)


def role_now(session: Session, username: str) -> Role | None:
    """With which rights somebody asks and decides now; None: not at all, or no more."""
    row = session.get(User, username)
    return None if row is None else speaking(row)


def speaking(row: User) -> Role | None:
    """With which rights this user asks and decides; None: not at all."""
    return None if row.role == UserRole.HOME_ASSISTANT else Role(row.role)


def _record(session: Session, action: str, row: User, *, actor: Actor, now: datetime, **more: str) -> None:
    detail: JsonObject = {"username": row.username, "role": row.role, **more}
    audit.record(session, action, now=now, actor=actor, detail=detail)

"""People and programs that speak to the controller, and what each may reach at most.

A name is one person's for as long as the row is there. Devices, controllers and the
administrator's token have names too, and nobody else gets one of those.
"""

import re
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, func, select, update

from controller.errors import AlreadyExists, Conflict, Refused, UnknownUser
from controller.services import audit, devices, names, pages
from controller.services.accounts import signins
from controller.services.actors import Actor, Role
from controller.services.pages import Order, Page
from controller.store import notices
from controller.store.tables import ToolExecution, User
from schemas.commands import Via
from schemas.wire import JsonObject

ADMIN = "admin"  # there from the first start on; the bearer of the token file speaks as it
# that one, the controller itself, and those that only a broker knows
RESERVED = re.compile(r"admin|system|(controller|join)-.*|(probe|debug)(\..*)?", re.IGNORECASE)

_ORDER = Order.of("users", "users", "username", rising=True)


class UserRole(StrEnum):
    """What somebody is let in as."""

    GUEST = "guest"  # reaches what was granted to them alone
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
    if (taken := _spelled_otherwise(session, username)) is not None:
        raise AlreadyExists(f"There is a user {taken!r} already.")
    if devices.find(session, username) is not None:
        raise AlreadyExists(f"There is a device {username!r}: users and devices share their names.")
    row = User(username=username, role=role.value, added_by=actor.user, added_at=now)
    session.add(row)
    _record(session, "user.added", row, actor=actor, now=now)
    return row


def _spelled_otherwise(session: Session, username: str) -> str | None:
    """Whoever has this name already, in whichever letters: to people, and to who counts wrong passwords, it is one."""
    return session.exec(
        select(User.username).where(func.lower(col(User.username)) == username.casefold()).limit(1)
    ).first()


def ensure_admin(session: Session, *, now: datetime) -> None:
    """The first user, at each start: without a password until somebody makes one."""
    if not names.is_users(session, ADMIN) and devices.find(session, ADMIN) is None:
        session.add(User(username=ADMIN, role=UserRole.ADMIN.value, added_by="system", added_at=now))


def awaits_password(session: Session) -> bool:
    """Whether the first user is there and nobody can sign in as it."""
    row = session.get(User, ADMIN)
    return row is not None and row.password_hash is None


def get(session: Session, username: str) -> User:
    """One user.

    Raises:
        UnknownUser: nobody has that name.
    """
    row = session.get(User, username)
    if row is None:
        raise UnknownUser(username)
    return row


def listed(session: Session, *, limit: int | None = None, cursor: str | None = None) -> Page[User]:
    """Users by name; all of them without a limit.

    Raises:
        InvalidCursor: it is none of this list.
    """
    return pages.page(session, select(User), _ORDER, limit=limit, cursor=cursor)


def change_role(session: Session, username: str, role: UserRole, *, actor: Actor, now: datetime) -> User:
    """Let somebody reach more or less from now on.

    Raises:
        UnknownUser: nobody has that name.
        Refused: it is the first user, who is always an administrator.
    """
    row = removable(session, username)
    before, row.role = row.role, role.value
    if speaking(row) is None:
        signins.end_all(session, username, why="role", now=now)
    _record(session, "user.role_changed", row, actor=actor, now=now, before=before)
    return row


def remove(session: Session, username: str, *, actor: Actor, now: datetime) -> None:
    """Take somebody's name away; what they did stays on record.

    Raises:
        UnknownUser: nobody has that name.
        Refused: it is the first user, who is always there.
    """
    row = removable(session, username)
    session.delete(row)
    # what they ordered and has not left yet is looked at again before it does: as a stranger's, who sees nothing
    theirs = (col(ToolExecution.requested_by) == username, col(ToolExecution.finished_at).is_(None))
    session.execute(update(ToolExecution).where(*theirs).values(role=Role.GUEST.value))
    _record(session, "user.removed", row, actor=actor, now=now)


def note_rotation(session: Session, username: str, *, actor: Actor, now: datetime) -> None:
    """Put on record that somebody got a new password.

    Raises:
        UnknownUser: nobody has that name.
    """
    _record(session, "user.rotated", get(session, username), actor=actor, now=now)


def set_password(
    session: Session,
    username: str,
    password_hash: str,
    *,
    once: bool,
    actor: Actor,
    now: datetime,
    before: str | None = None,
) -> User:
    """Let somebody sign in with another password; whatever was open by the old one is over.

    `before`: how the password must be kept still that was shown for it.

    Raises:
        Conflict: it was changed meanwhile, or its user may not come in any more.
        UnknownUser: nobody has that name.
        Refused: it is a program that speaks at the broker alone.
    """
    row = get(session, username)
    if speaking(row) is None:
        raise Refused(
            f"{username} speaks at the broker alone and signs in nowhere: orion users rotate {username}"
        )
    if before is not None and (row.password_hash != before or row.disabled_at is not None):
        raise Conflict("The password was changed meanwhile. Sign in again.")
    row.password_hash, row.password_at, row.password_once = password_hash, now, once
    signins.end_all(session, username, why="password", now=now)
    _record(session, "user.password_changed", row, actor=actor, now=now, once=once)
    return row


def set_first_password(session: Session, password_hash: str, *, now: datetime) -> None:
    """Let the first user sign in, once, where nobody has made a password yet.

    Raises:
        Conflict: somebody has.
    """
    if get(session, ADMIN).password_at is not None:
        raise Conflict(f"There is a password already. Another one: orion users password {ADMIN}")
    set_password(
        session, ADMIN, password_hash, once=True, actor=Actor("system", Role.ADMIN, Via.CLI), now=now
    )


def rehash(session: Session, username: str, before: str, password_hash: str) -> None:
    """Keep the same password by newer figures, unless it was changed meanwhile."""
    row = session.get(User, username)
    if row is not None and row.password_hash == before:
        row.password_hash = password_hash


def disable(session: Session, username: str, *, actor: Actor, now: datetime) -> User:
    """Let somebody in nowhere, until they are enabled again; what they have open is over.

    Raises:
        UnknownUser: nobody has that name.
        Refused: it is the first user, who could not be enabled by anybody else.
    """
    row = removable(session, username)
    if row.disabled_at is None:
        row.disabled_at = now
        signins.end_all(session, username, why="disabled", now=now)
        _record(session, "user.disabled", row, actor=actor, now=now)
    return row


def enable(session: Session, username: str, *, actor: Actor, now: datetime) -> User:
    """Let somebody in again, with the password and the role of before.

    Raises:
        UnknownUser: nobody has that name.
        Conflict: they are let in as it is, and would only lose their password at the broker.
    """
    row = get(session, username)
    if row.disabled_at is None:
        raise Conflict(f"{username} is not disabled.")
    row.disabled_at = None
    _record(session, "user.enabled", row, actor=actor, now=now)
    return row


def speaking(row: User) -> Role | None:
    """With which rights this user asks and decides; None: not at all."""
    return None if row.role == UserRole.HOME_ASSISTANT else Role(row.role)


def removable(session: Session, username: str) -> User:
    """One user who may be changed and taken away.

    Raises:
        UnknownUser: nobody has that name.
        Refused: it is the first user, who is always there.
    """
    row = get(session, username)
    if username == ADMIN:
        raise Refused(f"{ADMIN!r} is the first user: it stays, as an administrator.")
    return row


def _record(
    session: Session, action: str, row: User, *, actor: Actor, now: datetime, **more: str | bool
) -> None:
    detail: JsonObject = {"username": row.username, "role": row.role, **more}
    audit.record(session, action, now=now, actor=actor, detail=detail)
    notices.announce(session, notices.RightsChanged(row.username))

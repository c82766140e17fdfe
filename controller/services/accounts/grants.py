"""Roles on single devices and groups, beside the one that somebody has everywhere.

A grant goes with its device. Who is in a group only an administrator changes, so nobody lets
themselves into one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from controller.errors import InvalidArguments, UnknownGrant
from controller.services import audit, devices
from controller.services.actors import Actor, Grant, Role
from controller.store import notices
from controller.store.tables import GrantRow
from schemas.ids import new_id
from schemas.wire import JsonObject

GRANTED = (Role.VIEWER, Role.OPERATOR)  # administering is of the whole installation


@dataclass(frozen=True, slots=True)
class Place:
    """What a grant is about: one device, or a group."""

    device_id: str | None = None
    group: str | None = None

    def __str__(self) -> str:
        return self.device_id if self.device_id is not None else f"the group {self.group!r}"


def give(
    session: Session, username: str, place: Place, role: Role, *, actor: Actor, now: datetime
) -> GrantRow:
    """Let somebody reach this there, in the place of what was granted there before.

    Raises:
        InvalidArguments: it is no role that is granted, or no device is in the group yet.
        UnknownDevice: there is no such device.
    """
    if role not in GRANTED:
        raise InvalidArguments(f"role: on a device or a group it is {' or '.join(GRANTED)}.")
    if place.device_id is not None:
        devices.get(session, place.device_id)
    elif place.group not in devices.groups(session):
        raise InvalidArguments(f"No device is in {place} yet: orion devices policy ID --group …")
    row = session.exec(select(GrantRow).where(*_of(username, place))).first()
    if row is None:
        row = GrantRow(
            id=new_id(),
            username=username,
            device_id=place.device_id,
            group_name=place.group,
            role=role.value,
            granted_by=actor.user,
            granted_at=now,
        )
    row.role, row.granted_by, row.granted_at = role.value, actor.user, now
    session.add(row)
    _record(session, "user.granted", username, place, role, actor=actor, now=now)
    return row


def take(session: Session, username: str, place: Place, *, actor: Actor, now: datetime) -> None:
    """Take a grant back; the role that they have everywhere stays.

    Raises:
        UnknownGrant: they have none there.
    """
    row = session.exec(select(GrantRow).where(*_of(username, place))).first()
    if row is None:
        raise UnknownGrant(username, str(place))
    session.delete(row)
    _record(session, "user.grant_taken", username, place, Role(row.role), actor=actor, now=now)


def listed(session: Session, username: str | None = None) -> list[GrantRow]:
    """What was granted, to one user or to all, by their names."""
    query = select(GrantRow).order_by(
        col(GrantRow.username), col(GrantRow.device_id), col(GrantRow.group_name)
    )
    if username is not None:
        query = query.where(GrantRow.username == username)
    return list(session.exec(query))


def of_users(session: Session, usernames: Collection[str]) -> dict[str, list[GrantRow]]:
    """What was granted to each of these users."""
    found: dict[str, list[GrantRow]] = {}
    wanted = frozenset(usernames)
    for row in listed(session):
        if row.username in wanted:
            found.setdefault(row.username, []).append(row)
    return found


def of(row: GrantRow) -> Grant:
    """As whoever asks carries it."""
    return Grant(Role(row.role), row.device_id, row.group_name)


def _of(username: str, place: Place) -> tuple[ColumnElement[bool], ...]:
    same = col(GrantRow.device_id) == place.device_id
    if place.device_id is None:
        same = col(GrantRow.group_name) == place.group
    return col(GrantRow.username) == username, same


def _record(
    session: Session, action: str, username: str, place: Place, role: Role, *, actor: Actor, now: datetime
) -> None:
    detail: JsonObject = {"username": username, "role": role.value}
    if place.group is not None:
        detail["group"] = place.group
    audit.record(session, action, now=now, actor=actor, device_id=place.device_id, detail=detail)
    notices.announce(session, notices.RightsChanged(username))

"""What hangs on what: a device depends on another one, or is a part of it, and stops when that one does.

Links never close a circle: of two that each need the other, nobody could say which is to be started first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import count

from sqlmodel import Session, col, select

from controller.errors import Conflict, InvalidArguments, LinksInACircle, Refused, UnknownLink
from controller.services import audit, devices
from controller.services.actors import FORGEABLE, Actor, Role
from controller.services.sight import Sight
from controller.store.tables import Device, DeviceLink
from schemas.wire import JsonObject

MAX_LINKS = 50  # of one device to others
AT_ONCE = 500  # ids in one query


class Kind(StrEnum):
    """How one device hangs on another."""

    DEPENDS_ON = "depends_on"
    PART_OF = "part_of"

    @property
    def words(self) -> str:
        return {Kind.DEPENDS_ON: "depends on", Kind.PART_OF: "is part of"}[self]


@dataclass(frozen=True, slots=True)
class Links:
    """The ids at the other ends of one device's links, each list in order."""

    depends_on: tuple[str, ...]
    part_of: tuple[str, ...]
    needed_by: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Affected:
    """A device that stops with another one. `via`: what it hangs on itself; `distance`: links in between."""

    device_id: str
    name: str | None
    status: str
    kind: Kind
    via: str
    distance: int


def link(
    session: Session, device_id: str, kind: Kind, other_id: str, *, actor: Actor, now: datetime
) -> Device:
    """Say that a device hangs on another one; once more changes nothing. The device's row.

    Raises:
        Refused: only an admin says that, and not by a door whose words can be forged.
        UnknownDevice: one of the two has no place here.
        InvalidArguments: they are the same.
        LinksInACircle: the other one hangs on this one already.
        Conflict: the device has as many links as one may have.
    """
    _check(actor)
    row = devices.get(session, device_id)
    devices.get(session, other_id)
    if device_id == other_id:
        raise InvalidArguments("A device cannot be linked to itself.")
    if session.get(DeviceLink, (device_id, other_id, kind.value)) is not None:
        return row
    if way := _way(session, other_id, device_id):
        raise LinksInACircle(_told([(device_id, kind, other_id), *way]))
    if len(_from(session, [device_id])) >= MAX_LINKS:
        raise Conflict(f"{device_id} has {MAX_LINKS} links already; take one away first.")
    session.add(
        DeviceLink(device_id=device_id, other_id=other_id, kind=kind.value, added_by=actor.user, added_at=now)
    )
    _record(session, "device.linked", device_id, kind, other_id, actor=actor, now=now)
    return row


def unlink(
    session: Session, device_id: str, kind: Kind, other_id: str, *, actor: Actor, now: datetime
) -> Device:
    """Take a link away. The device's row.

    Raises:
        Refused: only an admin does that.
        UnknownDevice: the device has no place here.
        UnknownLink: there is no such link.
    """
    _check(actor)
    row = devices.get(session, device_id)
    found = session.get(DeviceLink, (device_id, other_id, kind.value))
    if found is None:
        raise UnknownLink(f"{device_id} {kind.words} {other_id}")
    session.delete(found)
    _record(session, "device.unlinked", device_id, kind, other_id, actor=actor, now=now)
    return row


def of(session: Session, device_id: str, *, sight: Sight | None = None) -> Links:
    """What a device hangs on, and what hangs on it, one link away; None: the controller itself looks."""
    seen = (lambda _: True) if sight is None else sight.sees
    out = [each for each in _from(session, [device_id]) if seen(each[2])]
    holders = session.exec(
        select(DeviceLink.device_id, DeviceLink.kind)
        .where(DeviceLink.other_id == device_id)
        .order_by(col(DeviceLink.device_id))
    )
    into = [(each, kind) for each, kind in holders if seen(each)]
    return Links(
        depends_on=tuple(other for _, kind, other in out if kind is Kind.DEPENDS_ON),
        part_of=tuple(other for _, kind, other in out if kind is Kind.PART_OF),
        needed_by=tuple(each for each, kind in into if kind == Kind.DEPENDS_ON),
        parts=tuple(each for each, kind in into if kind == Kind.PART_OF),
    )


def impact(session: Session, device_id: str, *, sight: Sight | None = None) -> list[Affected]:
    """What stops working when this device does: each once, the nearest first.

    Only what somebody sees is named; None: the controller itself looks.

    Raises:
        UnknownDevice: it has no place here, or they do not see it.
    """
    if sight is not None:
        sight.check(device_id)
    devices.get(session, device_id)
    seen, level = {device_id}, [device_id]
    found: list[Affected] = []
    for distance in count(1):
        added = {each.device_id: each for each in _hanging_on(session, level, distance)}
        level = sorted(added.keys() - seen)
        if not level:
            break
        found += [
            _as_seen(added[each], device_id, sight) for each in level if sight is None or sight.sees(each)
        ]
        seen.update(level)
    return found


def _as_seen(affected: Affected, asked: str, sight: Sight | None) -> Affected:
    """A device, without the name of one in between that is not seen."""
    return affected if sight is None or sight.sees(affected.via) else replace(affected, via=asked)


_Link = tuple[str, Kind, str]  # a device, how it hangs, on which other one


def _way(session: Session, start: str, end: str) -> list[_Link]:
    """The links that lead from one device to another one, along what it hangs on; none where nothing does."""
    came_by: dict[str, _Link] = {}
    level = [start]
    while level and end not in came_by:
        following: dict[str, _Link] = {}
        for found in _from(session, level):
            if found[2] not in came_by:
                following.setdefault(found[2], found)
        came_by |= following
        level = list(following)
    way: list[_Link] = []
    while end in came_by and end != start:
        way.insert(0, came_by[end])
        end = came_by[end][0]
    return way


def _hanging_on(session: Session, device_ids: Sequence[str], distance: int) -> list[Affected]:
    """The devices that hang on these, as far away as that."""
    found: list[Affected] = []
    for some in _chunks(device_ids):
        query = (
            select(DeviceLink, Device.name, Device.status)
            .join(Device, col(Device.device_id) == DeviceLink.device_id)
            .where(col(DeviceLink.other_id).in_(some))
            .order_by(col(DeviceLink.other_id).desc())  # of several, the first counts
        )
        found += [
            Affected(row.device_id, name, status, Kind(row.kind), row.other_id, distance)
            for row, name, status in session.exec(query)
        ]
    return found


def _from(session: Session, device_ids: Sequence[str]) -> list[_Link]:
    """The links of these devices to others, in a fixed order."""
    found: list[_Link] = []
    for some in _chunks(device_ids):
        query = select(DeviceLink).where(col(DeviceLink.device_id).in_(some))
        rows = session.exec(query.order_by(col(DeviceLink.device_id), col(DeviceLink.other_id)))
        found += [(row.device_id, Kind(row.kind), row.other_id) for row in rows]
    return found


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]


def _told(way: Sequence[_Link]) -> str:
    first, *others = (f"{kind.words} {other}" for _, kind, other in way)
    return ", which ".join([f"{way[0][0]} {first}", *others])


def _check(actor: Actor) -> None:
    if actor.role is not Role.ADMIN or actor.via in FORGEABLE:
        raise Refused("Only an admin says what hangs on what, and not by MQTT.")


def _record(
    session: Session, action: str, device_id: str, kind: Kind, other_id: str, *, actor: Actor, now: datetime
) -> None:
    detail: JsonObject = {"kind": kind.value, "other_id": other_id}
    audit.record(session, action, now=now, actor=actor, device_id=device_id, detail=detail)

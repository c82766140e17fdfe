"""Who a group is: the devices whose place names it, at the moment somebody asks."""

from collections.abc import Iterator
from itertools import islice

from sqlmodel import Session, col, select

from controller.errors import Conflict, UnknownGroup
from controller.services.actors import Actor, Role
from controller.store.tables import Device

MOST = 10_000  # devices of one order
AT_A_TIME = 500  # rows of one look-up: databases bound the names in one statement
NAMED = 20  # groups that an error names


def of(session: Session, group: str, *, actor: Actor) -> list[Device]:
    """The devices of a group that this actor sees, by id.

    Raises:
        UnknownGroup: none of them is in it.
        Conflict: more devices than one order may go to.
    """
    ids: list[str] = []
    known: set[str] = set()
    for device_id, groups in session.exec(select(Device.device_id, Device.groups)):
        if actor.role_on(device_id, groups) is Role.GUEST:
            continue
        known.update(groups)
        if group in groups:
            ids.append(device_id)
    if not ids:
        raise UnknownGroup(group, [*islice(sorted(known), NAMED), *(["…"] if len(known) > NAMED else [])])
    if len(ids) > MOST:
        raise Conflict(f"The group {group!r} has {len(ids)} devices; one order may go to {MOST}.")
    return [row for part in _parts(sorted(ids)) for row in _rows(session, part)]


def _parts(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), AT_A_TIME):
        yield ids[start : start + AT_A_TIME]


def _rows(session: Session, ids: list[str]) -> list[Device]:
    by_id = {row.device_id: row for row in session.exec(select(Device).where(col(Device.device_id).in_(ids)))}
    return [by_id[device_id] for device_id in ids]

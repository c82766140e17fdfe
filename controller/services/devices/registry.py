"""Places: which devices there are, what their owner calls and allows them, what was adopted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from controller.errors import AlreadyExists, NoProfile, ToolsChanged, UnknownDevice
from controller.services import arguments, audit, names
from controller.services.actors import Actor
from controller.services.devices.status import DeviceStatus
from controller.services.policy import PolicyProfile
from controller.store import notices
from controller.store.tables import Device
from schemas.devices import Profile, Tool
from schemas.ids import new_id

_SEEN = "devices seen"
_BY_ID = select(Device).where(Device.device_id == bindparam("device_id"))


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A place to prepare. A list that is None does not narrow what the device itself allows."""

    device_id: str
    name: str | None = None
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    area: str | None = None
    policy: PolicyProfile = PolicyProfile.ASSIST
    allowed_tools: tuple[str, ...] | None = None
    allowed_paths: tuple[str, ...] | None = None
    allowed_apps: tuple[str, ...] | None = None
    adopt_first: bool = False


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What to change of a device's place; None leaves a field, an empty tuple empties a list."""

    name: str | None = None
    aliases: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    area: str | None = None
    policy: PolicyProfile | None = None
    allowed_tools: tuple[str, ...] | None = None
    allowed_paths: tuple[str, ...] | None = None
    allowed_apps: tuple[str, ...] | None = None
    unlimited: frozenset[str] = frozenset()  # names of lists that no longer narrow


def get(session: Session, device_id: str) -> Device:
    """The row of one device.

    Raises:
        UnknownDevice: it has no place here.
    """
    row = find(session, device_id)
    if row is None:
        raise UnknownDevice(device_id)
    return row


def find(session: Session, device_id: str) -> Device | None:
    """The row of one device, or None."""
    seen = _seen(session)
    known = seen.get(device_id)
    if known is not None and known in session and known not in session.deleted:
        return known
    found: Device | None = session.exec(_BY_ID, params={"device_id": device_id}).one_or_none()
    if found is not None:
        seen[device_id] = found
    return found


def _seen(session: Session) -> dict[str, Device]:
    """Rows that this unit has found: it asks for its device more than once.

    Of this unit alone: what another one found may have been rolled back.
    """
    unit = session.get_nested_transaction() or session.get_transaction()
    seen: dict[str, Device]
    of, seen = session.info.get(_SEEN) or (None, {})
    if of is not unit or unit is None:
        seen = {}
        session.info[_SEEN] = (unit, seen)
    return seen


def every(session: Session) -> list[Device]:
    """All devices by id."""
    return list(session.exec(select(Device).order_by(col(Device.device_id))))


def groups(session: Session) -> list[str]:
    """The groups that devices are in, by name."""
    return sorted({group for some in session.exec(select(Device.groups)) for group in some})


def add(session: Session, new: NewDevice, *, actor: Actor, now: datetime) -> Device:
    """Prepare a place for a device.

    Raises:
        AlreadyExists: the id has a place already, or is a user's name.
        InvalidArguments: the name is kept for a part of Orion.
    """
    names.check_device(session, new.device_id)
    if find(session, new.device_id) is not None:
        raise AlreadyExists(f"There is a device {new.device_id!r} already.")
    row = Device(
        id=new_id(),
        device_id=new.device_id,
        name=new.name,
        aliases=list(new.aliases),
        groups=list(new.groups),
        area=new.area,
        policy=new.policy.value,
        allowed_tools=_list(new.allowed_tools),
        allowed_paths=_list(new.allowed_paths),
        allowed_apps=_list(new.allowed_apps),
        adopt_first=new.adopt_first,
        status=DeviceStatus.NEVER_SEEN.value,
        registered_at=now,
        updated_at=now,
    )
    session.add(row)
    notices.announce(session, notices.KeyChanged(new.device_id, None))
    notices.announce(session, notices.PlaceChanged(row, regrouped=True))
    audit.record(session, "device.added", now=now, actor=actor, device_id=new.device_id)
    return row


def change(session: Session, device_id: str, wanted: PolicyChange, *, actor: Actor, now: datetime) -> Device:
    """Change a device's names, policy or lists; the audit keeps which."""
    row = get(session, device_id)
    changed: list[str] = []
    for field in (
        "name",
        "area",
        "aliases",
        "groups",
        "policy",
        "allowed_tools",
        "allowed_paths",
        "allowed_apps",
    ):
        value = getattr(wanted, field)
        if field in wanted.unlimited:
            value = None
        elif value is None:
            continue
        setattr(row, field, list(value) if isinstance(value, tuple) else value)
        changed.append(field)
    row.updated_at = now
    notices.announce(session, notices.PlaceChanged(row, regrouped="groups" in changed))
    audit.record(
        session, "device.policy", now=now, actor=actor, device_id=device_id, detail={"changed": list(changed)}
    )
    return row


def remove(session: Session, device_id: str, *, actor: Actor, now: datetime) -> None:
    """Take a device's place away. What it did stays on record."""
    session.delete(get(session, device_id))
    audit.record(session, "device.removed", now=now, actor=actor, device_id=device_id)
    notices.announce(session, notices.DeviceChanged(device_id, ready=False))
    notices.announce(session, notices.PlaceGone(device_id))


def adopt(
    session: Session,
    device_id: str,
    *,
    actor: Actor | None,
    now: datetime,
    seen: Mapping[str, str] | None = None,
) -> Device:
    """Accept the tools of the device's present profile, by hash.

    `seen`: the hashes that somebody looked at, by tool name; a profile that says
    anything else by now is not accepted.

    Raises:
        NoProfile: it has not published one yet.
        ToolsChanged: it offers something else than was seen.
    """
    row = get(session, device_id)
    profile = profile_of(row)
    if profile is None:
        raise NoProfile(device_id)
    offered = {tool.name: arguments.tool_hash(tool) for tool in profile.tools}
    if seen is not None and offered != seen:
        raise ToolsChanged(device_id)
    row.adopted_tools = offered
    row.adopted_at = row.updated_at = now
    row.adopt_first = False
    notices.announce(session, notices.PlaceChanged(row))
    tools = [tool.name for tool in profile.tools]
    audit.record(
        session, "device.adopted", now=now, actor=actor, device_id=device_id, detail={"tools": list(tools)}
    )
    return row


def profile_of(row: Device) -> Profile | None:
    """The device's last profile."""
    return Profile.restore(row.profile) if row.profile else None


def unadopted(row: Device) -> list[Tool]:
    """The tools that wait for an admin's look: new, or not what was adopted."""
    profile = profile_of(row)
    adopted = row.adopted_tools or {}
    tools = profile.tools if profile else []
    return [tool for tool in tools if adopted.get(tool.name) != arguments.tool_hash(tool)]


def _list(texts: tuple[str, ...] | None) -> list[str] | None:
    return None if texts is None else list(texts)

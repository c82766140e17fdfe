"""The registry: which devices have a place here, what they said, and who is online.

State moves on evidence: a device is online because its presence says so in the same
life (`boot_id`) as its profile, and offline only by word of that life.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from controller.errors import AlreadyExists, NoProfile, ToolsChanged, UnknownDevice
from controller.services import arguments, audit
from controller.services.actors import Actor
from controller.services.policy import PolicyProfile
from controller.store import notices
from controller.store.tables import Device
from schemas.devices import Heartbeat, Presence, Profile, Tool
from schemas.ids import new_id


class DeviceStatus(StrEnum):
    """What is known of a device's life."""

    NEVER_SEEN = "never_seen"
    ARRIVING = "arriving"  # its profile is of another life than its presence
    ONLINE = "online"
    OFFLINE = "offline"


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
    return session.exec(select(Device).where(Device.device_id == device_id)).one_or_none()


def every(session: Session) -> list[Device]:
    """All devices by id."""
    return list(session.exec(select(Device).order_by(col(Device.device_id))))


def add(session: Session, new: NewDevice, *, actor: Actor, now: datetime) -> Device:
    """Prepare a place for a device.

    Raises:
        AlreadyExists: the id has a place already.
    """
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
    audit.record(
        session, "device.policy", now=now, actor=actor, device_id=device_id, detail={"changed": list(changed)}
    )
    return row


def remove(session: Session, device_id: str, *, actor: Actor, now: datetime) -> None:
    """Take a device's place away. What it did stays on record."""
    session.delete(get(session, device_id))
    audit.record(session, "device.removed", now=now, actor=actor, device_id=device_id)
    notices.announce(session, notices.DeviceChanged(device_id, ready=False))


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
    names = [tool.name for tool in profile.tools]
    audit.record(
        session, "device.adopted", now=now, actor=actor, device_id=device_id, detail={"tools": list(names)}
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


def store_profile(session: Session, device_id: str, profile: Profile, *, now: datetime) -> Device | None:
    """Keep what a device says it is. None: it has no place here."""
    row = find(session, device_id)
    if row is None:
        return None
    present = row.boot_id
    encoded = profile.encode().decode()
    if encoded != row.profile:  # a retained one that comes again is no sign of life
        row.last_seen_at = now
    row.profile = encoded
    row.hostname, row.capabilities = profile.hostname, dict(profile.capabilities or {})
    row.os_type = profile.os.type if profile.os else None
    row.os_version = profile.os.version if profile.os else None
    hardware = profile.hardware
    row.cpu_info = hardware.cpu if hardware else None
    row.ram_gb = hardware.ram_gb if hardware else None
    row.disk_gb = hardware.disk_gb if hardware else None
    row.updated_at = now
    if row.adopt_first:
        adopt(session, device_id, actor=None, now=now)
    if row.status in (DeviceStatus.ARRIVING, DeviceStatus.ONLINE):
        _settle_status(
            session, row, DeviceStatus.ONLINE if profile.boot_id == present else DeviceStatus.ARRIVING
        )
    return row


def store_presence(session: Session, device_id: str, presence: Presence, *, now: datetime) -> Device | None:
    """Move a device's state on its own word. None: it has no place here."""
    row = find(session, device_id)
    if row is None:
        return None
    profile = profile_of(row)
    if presence.state == "online":
        same_life = profile is not None and profile.boot_id == presence.boot_id
        row.boot_id, row.status_reason, row.last_seen_at = presence.boot_id, None, now
        _settle_status(session, row, DeviceStatus.ONLINE if same_life else DeviceStatus.ARRIVING)
    elif _is_late_will(row, profile, presence):
        return row
    else:
        row.boot_id, row.status_reason = presence.boot_id, presence.reason
        _settle_status(session, row, DeviceStatus.OFFLINE)
    return row


def _is_late_will(row: Device, profile: Profile | None, presence: Presence) -> bool:
    """Whether an `offline` speaks of an earlier life than the one that is known."""
    if row.boot_id is None or presence.boot_id == row.boot_id:
        return False
    # a device that died between its profile and its presence is known by the profile alone
    return profile is None or presence.boot_id != profile.boot_id


def _settle_status(session: Session, row: Device, status: DeviceStatus) -> None:
    # announced even when unchanged: a retained presence after a reconnect makes a device ready again
    row.status = status.value
    notices.announce(session, notices.DeviceChanged(row.device_id, ready=status is DeviceStatus.ONLINE))


def store_heartbeat(session: Session, device_id: str, heartbeat: Heartbeat, *, now: datetime) -> None:
    """Keep the latest figures of a device's present life."""
    row = find(session, device_id)
    if row is not None and row.boot_id == heartbeat.boot_id:
        row.heartbeat, row.last_heartbeat, row.last_seen_at = heartbeat.to_json(), now, now


def nobody_is_known_online(session: Session) -> None:
    """At a controller's start: what was stored is no evidence; the broker tells anew."""
    for row in session.exec(select(Device).where(col(Device.status).in_(("online", "arriving")))):
        row.status = DeviceStatus.OFFLINE.value
        row.status_reason = "controller_restarted"


def _list(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)

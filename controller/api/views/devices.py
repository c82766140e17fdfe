"""A device as JSON: in a list, whole, with what it hangs on, what it connects with and what it measured."""

from controller.api.views.rows import Json, times
from controller.services import arguments, devices, targets
from controller.services.devices import Listed
from controller.services.links import Affected, Links
from controller.services.metrics import History, Point
from controller.settings import ControllerSettings
from controller.store.tables import Device
from schemas.wire import format_instant


def device(row: Device | Listed) -> Json:
    """A device in a list."""
    return times(
        {
            "device_id": row.device_id,
            "name": row.name,
            "aliases": row.aliases,
            "groups": row.groups,
            "area": row.area,
            "hostname": row.hostname,
            "os": row.os_type,
            "policy": row.policy,
            "adopted": row.adopted_at is not None,
            "signed": row.public_key is not None,
            "status": row.status,
            "status_reason": row.status_reason,
            "suspended_until": row.suspended_until,
            "last_seen_at": row.last_seen_at,
            "last_heartbeat": row.last_heartbeat,
            "clock_skew_s": row.clock_skew_s,
        }
    )


def connection(settings: ControllerSettings, device_id: str, password: str | None) -> Json:
    """What a device connects with. The password is said once; None: somebody else makes it."""
    found = {"host": settings.endpoint.host, "port": settings.endpoint.port, "username": device_id}
    if password is not None:
        found["password"] = password
    found |= {"client_id": device_id, "prefix": settings.prefix}
    if settings.join_port is not None and settings.ca_path is not None:
        found |= {"tls_port": settings.join_port, "ca_file": str(settings.ca_path)}
    return found


def tools(row: Device) -> list[Json]:
    """What a device offers; `adopted`: it was accepted as it is now."""
    profile = devices.profile_of(row)
    accepted = row.adopted_tools or {}
    offered = [(tool, arguments.tool_hash(tool)) for tool in (profile.tools if profile else [])]
    return [
        {
            "name": tool.name,
            "description": tool.description,
            "risk": tool.risk.value,
            "read_only": tool.hints.read_only,
            "adopted": accepted.get(tool.name) == own,
            "hash": own,
            "parameters": tool.parameters,
        }
        for tool, own in offered
    ]


def policy(row: Device) -> Json:
    """What is allowed on a device: what its owner said, and what holds with the device's own limits."""
    target = targets.of(row)
    usable = [name for name, tool in target.tools.items() if tool.adopted]
    allowed = target.allowed_tools
    return {
        "device_id": row.device_id,
        "policy": row.policy,
        "allowed_tools": row.allowed_tools,
        "allowed_paths": row.allowed_paths,
        "allowed_apps": row.allowed_apps,
        "effective": {
            "tools": [name for name in usable if allowed is None or name in allowed],
            "paths": list(target.allowed_paths),
            "apps": list(target.allowed_apps),
        },
    }


def device_whole(row: Device) -> Json:
    """One device with its tools and what is allowed on it, both sides taken together."""
    target = targets.of(row)
    profile = devices.profile_of(row)
    more = {
        "public_key": row.public_key,
        "os_version": row.os_version,
        "cpu": row.cpu_info,
        "ram_gb": row.ram_gb,
        "disk_gb": row.disk_gb,
        "home": profile.home if profile else None,
        "registered_at": row.registered_at,
        "adopted_at": row.adopted_at,
        "enrolled_at": row.enrolled_at,
        "heartbeat": row.heartbeat,
        "owner_allows": {
            "tools": row.allowed_tools,
            "paths": row.allowed_paths,
            "apps": row.allowed_apps,
        },
        "allowed_paths": list(target.allowed_paths),
        "allowed_apps": list(target.allowed_apps),
        "tools": tools(row),
    }
    return device(row) | times(more)


def links(found: Links) -> Json:
    """What a device hangs on, and what hangs on it."""
    return {
        "depends_on": list(found.depends_on),
        "part_of": list(found.part_of),
        "needed_by": list(found.needed_by),
        "parts": list(found.parts),
    }


def affected(found: Affected) -> Json:
    """A device that stops with another one."""
    return {
        "device_id": found.device_id,
        "name": found.name,
        "status": found.status,
        "kind": found.kind.value,
        "via": found.via,
        "distance": found.distance,
    }


def history(found: History) -> Json:
    """What a device measured; of each measure all of it in one, and the steps that have a value."""
    return times(
        {
            "device_id": found.device_id,
            "since": found.since,
            "until": found.until,
            "step_s": found.step_s,
            "rows_s": found.rows_s,
            "items": [
                {
                    "measure": series.measure,
                    "unit": series.unit or None,
                    "whole": _point(series.whole),
                    "points": [_point(each) for each in series.points],
                }
                for series in found.series
            ],
        }
    )


def _point(found: Point) -> Json:
    values = {"mean": found.mean, "low": found.low, "high": found.high}
    return {"at": format_instant(found.at), "count": found.count} | {
        name: round(value, 3) for name, value in values.items()
    }

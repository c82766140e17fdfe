"""Rows as JSON: what the API shows of each noun, secrets never among it."""

from collections.abc import Callable
from typing import Any, TypeVar

from controller.services import arguments, conditions, devices, search, targets, undoing
from controller.services.links import Affected, Links
from controller.services.metrics import History, Point
from controller.services.pages import Page
from controller.settings import ControllerSettings
from controller.store.tables import (
    ApprovalRow,
    AuditEntry,
    Conversation,
    Device,
    EventRow,
    MemoryRow,
    Message,
    ToolExecution,
)
from schemas.wire import format_instant

Json = dict[str, Any]
Row = TypeVar("Row")


def _times(view: Json) -> Json:
    return {
        name: format_instant(value) if hasattr(value, "astimezone") else value for name, value in view.items()
    }


def page(rows: Page[Row], shown: Callable[[Row], Json]) -> Json:
    """Some rows of a list. `next`: the cursor of the page behind them; null on the last one."""
    return {"items": [shown(row) for row in rows], "next": rows.next}


def device(row: Device) -> Json:
    """A device in a list."""
    return _times(
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


def device_whole(row: Device) -> Json:
    """One device with its tools and what is allowed on it, both sides taken together."""
    target = targets.of(row)
    profile = devices.profile_of(row)
    waiting = {tool.name for tool in devices.unadopted(row)}
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "risk": tool.risk.value,
            "read_only": tool.hints.read_only,
            "adopted": tool.name not in waiting,
            "hash": arguments.tool_hash(tool),
            "parameters": tool.parameters,
        }
        for tool in (profile.tools if profile else [])
    ]
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
        "tools": tools,
    }
    return device(row) | _times(more)


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
    return _times(
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


def command(row: ToolExecution, *, undone: bool = False) -> Json:
    """One command: what was asked, decided, and how it went. `undone`: it was put back, or is about to be."""
    return _times(
        {
            "command_id": row.id,
            "device_id": row.device_id or None,
            "tool": row.tool_name,
            "arguments": row.parameters,
            "dry_run": row.dry_run,
            "when_online": row.when_online,
            "condition": conditions.shown(row),
            "undoes": row.undoes,
            "parent_id": row.parent_id,
            "group": row.group_name,
            "rollout": row.rollout,
            "requested_by": row.requested_by,
            "via": row.via,
            "decision": row.decision,
            "risk": row.risk,
            "reasons": row.reasons,
            "layers": row.layers,
            "approval_id": row.approval_id,
            "follows": row.follows,
            "status": row.status,
            "progress": row.progress,
            "result": row.result,
            "error": row.error,
            "undoable": undoing.leaves_something(row) and not undone,
            "attempt": row.attempt,
            "session_id": row.session_id,
            "trace_id": row.trace_id,
            "user_query": row.user_query,
            "issued_at": row.issued_at,
            "expires_at": row.expires_at,
            "published_at": row.published_at,
            "accepted_at": row.accepted_at,
            "finished_at": row.finished_at,
            "duration_ms": row.duration_ms,
        }
    )


def approval(row: ApprovalRow) -> Json:
    """One card, with everything a person should see before deciding."""
    return _times(
        {
            "approval_id": row.id,
            "hash": row.hash,
            "summary": row.summary,
            "risk": row.risk,
            "reasons": row.reasons,
            "commands": row.commands,
            "requested_by": row.requested_by,
            "status": row.status,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "decided_at": row.decided_at,
            "decided_by": row.decided_by,
            "comment": row.comment,
        }
    )


def audit(row: AuditEntry) -> Json:
    """One line of the audit."""
    return _times(
        {
            "number": row.number,
            "at": row.at,
            "actor": row.actor,
            "via": row.via,
            "action": row.action,
            "device_id": row.device_id,
            "tool": row.tool,
            "command_id": row.command_id,
            "approval_id": row.approval_id,
            "trace_id": row.trace_id,
            "detail": row.detail,
            "instance": row.instance,
            "position": row.position,
            "previous": row.previous,
            "hash": row.hash,
        }
    )


def event(row: EventRow) -> Json:
    """One event."""
    return _times(
        {
            "event_id": row.id,
            "device_id": row.device_id,
            "type": row.event_type,
            "severity": row.severity,
            "data": row.data,
            "resolved": row.resolved,
            "created_at": row.created_at,
            "received_at": row.received_at,
            "resolved_at": row.resolved_at,
        }
    )


def memory(row: MemoryRow) -> Json:
    """One thing that is remembered. What a `device` said (`source`) is data, never an order."""
    return _times(
        {
            "key": row.key,
            "value": row.value,
            "scope": row.scope,
            "owner": row.owner or None,
            "category": row.category,
            "tags": row.tags,
            "source": row.source,
            "user": row.user,
            "expires_at": row.expires_at,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )


def conversation(row: Conversation) -> Json:
    """One conversation, without what was said."""
    return _times(
        {
            "session_id": row.id,
            "user": row.user,
            "device_id": row.device_id,
            "active": row.is_active,
            "messages_count": row.message_count,
            "calls_count": row.tool_execution_count,
            "started_at": row.started_at,
            "ended_at": row.ended_at,
        }
    )


def message(row: Message) -> Json:
    """One thing that was said. A tool's words are a device's."""
    return _times(
        {
            "message_id": row.id,
            "role": row.role,
            "content": row.content,
            "tool_calls": row.tool_calls or [],
            "created_at": row.created_at,
        }
    )


def hit(found: search.Hit) -> Json:
    """One row that a search found. `found`: its words as they are spelled in `title` and `text`."""
    return _times(
        {
            "kind": found.kind.value,
            "at": found.at,
            "by": found.by,
            "device_id": found.device_id,
            "title": found.title,
            "text": found.text,
            "found": list(found.found),
            "untrusted": found.untrusted,
            "reference": found.reference,
        }
    )

"""What is on record, as JSON: the audit, events, memories, conversations, and what a search finds among them."""

from controller.api.views.rows import Json, times
from controller.services import search
from controller.store.tables import AuditEntry, Conversation, EventRow, MemoryRow, Message


def audit(row: AuditEntry) -> Json:
    """One line of the audit."""
    return times(
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
    return times(
        {
            "event_id": row.id,
            "device_id": row.device_id,
            "type": row.event_type,
            "severity": row.severity,
            "data": row.data,
            "acknowledged": row.acknowledged,
            "resolved": row.resolved,
            "created_at": row.created_at,
            "received_at": row.received_at,
            "acknowledged_at": row.acknowledged_at,
            "acknowledged_by": row.acknowledged_by,
            "resolved_at": row.resolved_at,
            "resolved_by": row.resolved_by,
        }
    )


def memory(row: MemoryRow) -> Json:
    """One thing that is remembered. What a `device` said (`source`) is data, never an order."""
    return times(
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
    return times(
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
    return times(
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
    return times(
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

"""A command as JSON, and the card on which a person decides about commands."""

from controller.api.views.rows import Json, times
from controller.services import conditions, undoing
from controller.store.tables import ApprovalRow, ToolExecution


def command(row: ToolExecution, *, undone: bool = False, whole: bool = True, said: bool = True) -> Json:
    """One command: what was asked, decided, and how it went. `undone`: it was put back, or is about to be.

    Who does not see it `whole` gets no arguments and no results, and whoever did not say it no words.
    """
    return withheld(_view(row, undone=undone), whole=whole, said=said)


def withheld(view: Json, *, whole: bool, said: bool) -> Json:
    """The same without what somebody does not see of it, which is null then."""
    hidden = (() if whole else _NOT_TOLD) + (() if said else _NOT_SAID)
    return view | {name: None for name in hidden if name in view}


_NOT_TOLD = ("arguments", "condition", "result", "error", "reasons", "layers")
_NOT_SAID = ("session_id", "user_query")


def _view(row: ToolExecution, *, undone: bool) -> Json:
    return times(
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


def departure(row: ToolExecution) -> Json:
    """A command as it left for its device."""
    view = _view(row, undone=False)
    return {name: view[name] for name in _OF_DEPARTURE}


def outcome(row: ToolExecution) -> Json:
    """How a command ended."""
    view = _view(row, undone=False)
    return {name: view[name] for name in _OF_OUTCOME}


_WHICH = ("command_id", "device_id", "tool", "parent_id", "requested_by", "session_id", "trace_id")
_OF_DEPARTURE = (*_WHICH, "arguments", "dry_run", "via", "attempt", "issued_at", "expires_at", "published_at")
_OF_OUTCOME = (*_WHICH, "status", "result", "error", "undoable", "finished_at", "duration_ms")


def approval(row: ApprovalRow) -> Json:
    """One card, with everything a person should see before deciding."""
    return times(
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

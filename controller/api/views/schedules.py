"""Schedules and their runs as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from controller.api.views.rows import Json, times
from controller.services import conditions
from controller.store.tables import Schedule, ScheduleRun
from schemas.wire import format_instant


def schedule(row: Schedule, upcoming: Sequence[datetime]) -> Json:
    """One schedule, with its next times; none while it is paused."""
    return times(
        {
            "schedule_id": row.id,
            "name": row.name,
            "owner": row.owner,
            "device_id": row.device_id,
            "group": row.group_name,
            "pace": row.pace,
            "tool": row.tool_name,
            "arguments": row.parameters,
            "valid_s": row.valid_s,
            "when_online": row.when_online,
            "condition": "online" if row.condition == conditions.ONLINE.to_json() else row.condition,
            "cron": row.cron,
            "zone": row.zone,
            "missed": row.missed,
            "paused": _paused(row),
            "created_at": row.created_at,
            "changed_at": row.changed_at,
            "next_run_at": row.next_run_at,
            "upcoming": [format_instant(each) for each in upcoming],
            "last_run": _last(row),
        }
    )


def schedule_run(row: ScheduleRun, statuses: Mapping[str, str]) -> Json:
    """One run. `status`: that of its command, for as long as that is kept."""
    return times(
        {
            "planned_at": row.planned_at,
            "at": row.at,
            "outcome": row.outcome,
            "command_id": row.command_id,
            "status": statuses.get(row.command_id or ""),
            "reason": row.reason,
        }
    )


def _paused(row: Schedule) -> Json | None:
    if row.paused_at is None:
        return None
    return times({"since": row.paused_at, "by": row.paused_by, "reason": row.paused_why})


def _last(row: Schedule) -> Json | None:
    if row.last_run_at is None:
        return None
    return times({"at": row.last_run_at, "outcome": row.last_outcome, "command_id": row.last_command_id})

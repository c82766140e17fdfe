"""Rows as JSON: what the API shows of each noun, secrets never among it."""

from controller.api.views.accounts import api_key, grant, identity, user
from controller.api.views.commands import approval, command, departure, outcome, withheld
from controller.api.views.devices import (
    affected,
    connection,
    device,
    device_whole,
    history,
    links,
    policy,
    tools,
)
from controller.api.views.records import audit, conversation, event, hit, memory, message
from controller.api.views.rows import page
from controller.api.views.schedules import schedule, schedule_run

__all__ = [
    "affected",
    "api_key",
    "approval",
    "audit",
    "command",
    "connection",
    "conversation",
    "departure",
    "device",
    "device_whole",
    "event",
    "grant",
    "history",
    "hit",
    "identity",
    "links",
    "memory",
    "message",
    "outcome",
    "page",
    "policy",
    "schedule",
    "schedule_run",
    "tools",
    "user",
    "withheld",
]

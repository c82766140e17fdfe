"""What has not begun, in the order it was asked: since when, how long it may wait, what it waits for."""

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orion import pages, receipts
from orion.client import Client, Json

MOST = 10_000  # of each status
STATUSES = ("awaiting_approval", "waiting", "queued", "sent")


def rows(client: Client, device_id: str | None, *, now: datetime) -> list[Json]:
    """The queue, oldest first."""
    found: list[Json] = []
    for status in STATUSES:
        page = client.get("/commands", limit=MOST, device_id=device_id, status=status)
        found += [each for each in page["items"] if each["rollout"] is None]
    if not found:
        return []
    devices = {each["device_id"]: each for each in pages.every(client, "/devices")}
    found.sort(key=lambda each: (each["issued_at"], each["command_id"]))
    return [
        each
        | {
            "position": position,
            "since": receipts.clock(each["issued_at"]),
            "asked": asked(each),
            "expires_in": _left(each, now),
            "waits_for": waits_for(each, devices),
        }
        for position, each in enumerate(found, 1)
    ]


def asked(command: Json) -> str:
    """What tells orders of the same tool apart: the arguments, and the condition as it is typed."""
    said = receipts.words(command.get("arguments") or {})
    if command["condition"] is not None:
        said.append(f"--if {shlex.quote(str(receipts.condition(command['condition'])))}")
    if command.get("dry_run"):
        said.append("--dry-run")
    return " ".join(said)


def waits_for(command: Json, devices: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a command has not begun, for a person."""
    match command["status"]:
        case "awaiting_approval":
            return f"a person's yes: orion approvals approve {command['approval_id']}"
        case "waiting":
            return f"its device: {receipts.standing(devices.get(command['device_id'], {}))}"
        case "sent":
            again = f", sent {command['attempt']} times" if command["attempt"] > 1 else ""
            return f"its device to take it{again}"
    if command["follows"] is not None and isinstance(command["condition"], dict):
        return f"{command['condition']['tool']} to answer true"
    if command["follows"] is not None:
        return f"the command before it: {command['follows']}"
    if command["parent_id"] is not None and command["published_at"] is None:
        return "its turn in the group"
    return "the broker to take it"


def _left(command: Json, now: datetime) -> str:
    return receipts.span((datetime.fromisoformat(command["expires_at"]) - now).total_seconds())

"""Random rows with every edge among them."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from controller.services import devices
from controller.services.orders import Status
from controller.services.stats import Window
from controller.store.tables import EventRow, ToolExecution
from tests.chance import repeatable
from tests.factories import ADMIN, NOON, a_place

WINDOW = Window(NOON - timedelta(days=5, hours=7), NOON)
TICK = timedelta(microseconds=1)
DEVICES = ("laptop", "nas", "pump", "gone")  # `gone` has no place any more
TOOLS = ("list_directory", "delete_path", "light")
MESSAGES = ("It broke.", "It broke", "it broke.", "Schijf é vol: 91 %", "", None)


def a_row(number: int, status: Status = Status.SUCCEEDED, **fields: Any) -> ToolExecution:
    """A command as the store has it once it is over."""
    values: dict[str, Any] = {
        "id": f"{number:06}", "device_id": "laptop", "tool_name": "light", "parameters": {}, "requested_by": "ada",
        "role": "admin", "via": "cli", "trace_id": "t", "decision": "allow", "risk": "low", "timeout_s": 1.0, "valid_s": 1.0,
        "issued_at": NOON - timedelta(days=20), "expires_at": NOON,
    }  # fmt: skip
    if status.is_final:
        values |= {"success": status is Status.SUCCEEDED, "finished_at": NOON - TICK}
    return ToolExecution(status=status.value, **values | fields)


def edges() -> list[datetime]:
    """Moments on both sides of where something begins or ends."""
    found = [WINDOW.until, *(period.since for period in WINDOW.periods())]
    return [at + shift for at in found for shift in (-TICK, TICK * 0, TICK)]


def a_moment(random: Random) -> datetime:
    at_an_edge = random.random() < 0.3
    return random.choice(edges()) if at_an_edge else NOON - timedelta(days=8 * random.random() - 1)


def fill(session: Session, seed: int) -> None:
    """Commands of every kind and events, around the window."""
    random = repeatable(seed)
    for name in ("laptop", "nas", "pump", "idle"):
        devices.add(session, a_place(name), actor=ADMIN, now=NOON)
    rows: list[dict[str, Any]] = []
    for number in range(400):
        status = random.choice(list(Status))
        is_group = random.random() < 0.1
        more: dict[str, Any] = {"finished_at": a_moment(random)} if status.is_final else {}
        if status.is_final and status is not Status.SUCCEEDED:
            more["error_message"] = random.choice(MESSAGES)
        row = a_row(
            number,
            status,
            device_id="" if is_group else random.choice(DEVICES),
            group_name="lab" if is_group else None,
            tool_name=random.choice(TOOLS),
            dry_run=random.random() < 0.1,
            duration_ms=random.choice([None, 0.0, random.expovariate(0.05)]),
            **more,
        )
        rows.append(row.model_dump())
    session.execute(insert(ToolExecution), rows)
    for number in range(100):
        at = a_moment(random)
        session.add(
            EventRow(
                id=str(number), device_id=random.choice(DEVICES), event_type="x", severity="info", data={},
                created_at=NOON, received_at=at,
            )
        )  # fmt: skip
    session.flush()

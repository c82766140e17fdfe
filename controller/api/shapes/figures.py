"""Figures: which tools are used, what each device does, what fails again and again."""

from pydantic import BaseModel

from controller.api.shapes.shown import MOMENT, Items, Json, example
from controller.services.devices import DeviceStatus
from schemas.wire import Instant

_COUNTS: Json = {
    "count": 12,
    "succeeded": 11,
    "failed": 1,
    "denied": 0,
    "rejected": 0,
    "expired": 0,
    "cancelled": 0,
    "interrupted": 0,
}
_WINDOW: Json = {"since": MOMENT, "until": MOMENT}


class Counts(BaseModel):
    """Commands by how they ended."""

    count: int
    succeeded: int
    failed: int
    denied: int
    rejected: int
    expired: int
    cancelled: int
    interrupted: int


class Ends(Counts):
    """The same; `success_rate`: of what a device was given to do. Null: it was given nothing."""

    success_rate: float | None


class ToolUsed(Ends):
    """One tool."""

    tool: str
    mean_duration_ms: float | None


class Windowed(BaseModel):
    """The time that figures are of."""

    since: Instant
    until: Instant


class ToolFigures(Windowed, Items[ToolUsed]):
    """The tools that were used, the most used first."""

    model_config = example(
        {
            **_WINDOW,
            "items": [
                {"tool": "create_directory", **_COUNTS, "success_rate": 0.92, "mean_duration_ms": 12.5}
            ],
        }
    )


class DeviceUsed(Ends):
    """One device. `…_by_period` counts in the pieces that `periods` begin."""

    device_id: str
    status: DeviceStatus | None
    events: int
    last_command_at: Instant | None
    last_seen_at: Instant | None
    commands_by_period: list[int]
    events_by_period: list[int]


class DeviceFigures(Windowed, Items[DeviceUsed]):
    """What each device did, those with most commands first."""

    model_config = example(
        {
            **_WINDOW,
            "period_s": 86400.0,
            "periods": [MOMENT],
            "items": [
                {
                    "device_id": "workshop-pc",
                    "status": "online",
                    **_COUNTS,
                    "success_rate": 0.92,
                    "events": 3,
                    "last_command_at": MOMENT,
                    "last_seen_at": MOMENT,
                    "commands_by_period": [12],
                    "events_by_period": [3],
                }
            ],
        }
    )

    period_s: float
    periods: list[Instant]


class Failure(BaseModel):
    """What failed again and again, in the same words."""

    device_id: str
    tool: str
    message: str | None
    count: int
    denied: int
    expired: int
    failed: int
    interrupted: int
    rejected: int
    first_at: Instant
    last_at: Instant


class Failures(Windowed, Items[Failure]):
    """What failed more than so often, the most often first."""

    model_config = example(
        {
            **_WINDOW,
            "more_than": 2,
            "items": [
                {
                    "device_id": "workshop-pc",
                    "tool": "read_file",
                    "message": "There is no such file.",
                    "count": 4,
                    "denied": 0,
                    "expired": 0,
                    "failed": 4,
                    "interrupted": 0,
                    "rejected": 0,
                    "first_at": MOMENT,
                    "last_at": MOMENT,
                }
            ],
        }
    )

    more_than: int

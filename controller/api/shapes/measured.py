"""What a device measured, over some time."""

from pydantic import BaseModel

from controller.api.shapes.shown import MOMENT, Items, Json, example
from schemas.wire import Instant


class Point(BaseModel):
    """What one step of the time holds. `at`: its beginning; `count`: how many values."""

    at: Instant
    count: int
    mean: float
    low: float
    high: float


class Series(BaseModel):
    """One measure; a step without a value has no point."""

    measure: str
    unit: str | None
    whole: Point
    points: list[Point]


_POINT: Json = {"at": MOMENT, "count": 12, "mean": 12.5, "low": 3.0, "high": 44.0}


class History(Items[Series]):
    """What a device measured, in even steps. `rows_s`: what the rows that were read stand for."""

    model_config = example(
        {
            "device_id": "workshop-pc",
            "since": MOMENT,
            "until": MOMENT,
            "step_s": 360,
            "rows_s": 0,
            "items": [{"measure": "cpu_percent", "unit": "%", "whole": _POINT, "points": [_POINT]}],
        }
    )

    device_id: str
    since: Instant
    until: Instant
    step_s: int
    rows_s: int

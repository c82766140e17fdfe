"""What a device measured, over some time."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import Path, Query

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.services import metrics
from schemas.ids import DeviceId

router = routing.router("devices", below="/devices/{device_id}")

LONGEST = 2 * 365 * 86_400.0  # seconds


@router.get("/history", responses=refusals(404))
async def history(
    controller: Controller,
    _actor: Asking,
    device_id: Annotated[DeviceId, Path()],
    back_s: Annotated[float, Query(ge=60, le=LONGEST)] = 6 * 3600.0,
    measure: Annotated[str | None, Query(min_length=1, max_length=metrics.MAX_NAME)] = None,
    points: Annotated[int, Query(ge=1, le=metrics.MAX_POINTS)] = 60,
) -> Annotated[Json, Shown(shapes.History)]:
    """The last `back_s` seconds in even steps, at most so many points of each measure.

    `measure`: one by its name, or all of a kind, as `disk` for `disk:/` and `disk:/home`.
    """
    wanted = partial(
        metrics.history,
        device_id=device_id,
        now=datetime.now(UTC),
        back=timedelta(seconds=back_s),
        measure=measure,
        points=points,
    )
    return views.history(await controller.store.read(wanted))

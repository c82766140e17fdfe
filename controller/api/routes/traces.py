"""What one request set in motion, step by step."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path

from controller.api import routing, shapes
from controller.api.deps import Asking, Controller
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.views.rows import times
from controller.services import timelines
from controller.services.sight import Sight
from controller.services.timelines import Station, Timeline
from controller.store.store import Session

router = routing.router("commands", below="/traces")

Name = Annotated[str, Path(max_length=64)]


@router.get("/{name}", responses=refusals(404))
async def timeline(
    controller: Controller, actor: Asking, name: Name
) -> Annotated[Json, Shown(shapes.Timeline)]:
    """The stations of a trace, or of one command by its id, with the time since the first and the one before.

    An administrator is told what only the audit knows, too.
    """

    def look(session: Session) -> Timeline:
        return timelines.of(session, name, sight=Sight(session, actor))

    found = await controller.store.read(look)
    first, *_ = found.stations
    return {
        "trace_id": found.trace_id,
        "commands": found.commands,
        "items": [
            _shown(station, first, before)
            for station, before in zip(found.stations, (first, *found.stations), strict=False)
        ],
    }


def _shown(station: Station, first: Station, before: Station) -> dict[str, Any]:
    spent = {"since_ms": _between(first, station), "after_ms": _between(before, station)}
    return times(asdict(station)) | spent


def _between(earlier: Station, later: Station) -> float:
    return round((later.at - earlier.at).total_seconds() * 1000, 3)

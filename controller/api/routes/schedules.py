"""Schedules: what is ordered again and again. Made and changed in person; looked at, paused and removed by a key too."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Path, Query, Response

from controller import timetable
from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller, Parts, Personally
from controller.api.paging import Cursor, Pages
from controller.api.preconditions import Match, Matching, tag
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import Answers, refusals, told, versioned
from controller.api.shapes.schedules import NewSchedule, ScheduleChange, SchedulePause, ScheduleResumption
from controller.services import revisions, schedules
from controller.services.actors import Actor
from controller.store.store import Session
from controller.store.tables import Schedule
from schemas.ids import DeviceId

router = routing.router("schedules", below="/schedules")

UPCOMING = 3  # times that are read back
AT_ONCE = 200  # rows of one page
MADE: Answers = {201: {"headers": told("Location") | told("ETag")}}
ScheduleId = Annotated[str, Path(max_length=64)]
Work = Callable[[Session, Schedule], Schedule]


@router.get("")
async def listed(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    limit: Annotated[int, Query(ge=1, le=AT_ONCE)] = 50,
    cursor: Cursor = None,
    device_id: DeviceId | None = None,
) -> Annotated[Json, Shown(shapes.Schedules)]:
    """One's own schedules, the newest first; an admin sees everybody's."""

    def look(session: Session) -> tuple[list[Json], str | None]:
        rows = schedules.listed(session, actor=actor, device_id=device_id, limit=limit, cursor=cursor)
        return [_shown(row) for row in rows], rows.next

    return pages.whole(*await controller.store.read(look))


@router.post("", status_code=201, responses=refusals(404, 409) | MADE)
async def create(
    controller: Controller, actor: Personally, wanted: NewSchedule, response: Response
) -> Annotated[Json, Shown(shapes.Schedule)]:
    """Have something done at these times, with what its owner may at each of them. The times are read back."""

    def work(session: Session) -> tuple[Json, str]:
        new = wanted.as_wanted(wanted.zone or timetable.local_zone())
        row = schedules.add(session, new, actor=actor, now=datetime.now(UTC), following=timetable.following)
        return _shown(row), revisions.of_schedule(row)

    shown, version = await controller.store.write(work)
    response.headers["Location"] = f"{routing.PREFIX}/schedules/{shown['schedule_id']}"
    tag(response, version)
    return shown


@router.get("/{schedule_id}", responses=refusals(404) | versioned())
async def one(
    controller: Controller, actor: Asking, schedule_id: ScheduleId, response: Response
) -> Annotated[Json, Shown(shapes.Schedule)]:
    """One schedule, with its next times."""

    def look(session: Session) -> tuple[Json, str]:
        row = schedules.get(session, schedule_id, actor=actor)
        return _shown(row), revisions.of_schedule(row)

    shown, version = await controller.store.read(look)
    tag(response, version)
    return shown


@router.patch("/{schedule_id}", responses=refusals(404, 412, 428) | versioned())
async def change(
    controller: Controller,
    actor: Personally,
    schedule_id: ScheduleId,
    wanted: ScheduleChange,
    match: Matching,
    response: Response,
) -> Annotated[Json, Shown(shapes.Schedule)]:
    """Have the schedule that was seen otherwise; what it orders is looked at as its owner's."""

    def work(session: Session, row: Schedule) -> Schedule:
        match.check(revisions.of_schedule(row))
        return schedules.change(
            session,
            row,
            wanted.as_change(),
            actor=actor,
            now=datetime.now(UTC),
            following=timetable.following,
        )

    return await _changed(controller, actor, schedule_id, work, response)


@router.delete("/{schedule_id}", status_code=204, responses=refusals(404, 412, 428))
async def remove(controller: Controller, actor: Asking, schedule_id: ScheduleId, match: Matching) -> None:
    """Take the schedule that was seen away, with its runs; what it has ordered goes on."""
    await controller.store.write(
        partial(_removed, schedule_id=schedule_id, match=match, actor=actor, now=datetime.now(UTC))
    )


def _removed(session: Session, *, schedule_id: str, match: Match, actor: Actor, now: datetime) -> None:
    row = schedules.get(session, schedule_id, actor=actor)
    match.check(revisions.of_schedule(row))
    schedules.remove(session, row, actor=actor, now=now)


@router.post("/{schedule_id}/pause", responses=refusals(404) | versioned())
async def pause(
    controller: Controller,
    actor: Asking,
    schedule_id: ScheduleId,
    response: Response,
    wanted: SchedulePause | None = None,
) -> Annotated[Json, Shown(shapes.Schedule)]:
    """Have it run no more until somebody resumes it. One that is paused already stays as it is."""
    why = None if wanted is None else wanted.reason

    def work(session: Session, row: Schedule) -> Schedule:
        return schedules.pause(session, row, why=why, actor=actor, now=datetime.now(UTC))

    return await _changed(controller, actor, schedule_id, work, response)


@router.post("/{schedule_id}/resume", responses=refusals(404) | versioned())
async def resume(
    controller: Controller,
    actor: Personally,
    schedule_id: ScheduleId,
    response: Response,
    _wanted: ScheduleResumption | None = None,
) -> Annotated[Json, Shown(shapes.Schedule)]:
    """Have it run again from its next time on, if its owner may still order that."""

    def work(session: Session, row: Schedule) -> Schedule:
        return schedules.resume(
            session, row, actor=actor, now=datetime.now(UTC), following=timetable.following
        )

    return await _changed(controller, actor, schedule_id, work, response)


@router.get("/{schedule_id}/runs", responses=refusals(404))
async def runs(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    schedule_id: ScheduleId,
    limit: Annotated[int, Query(ge=1, le=AT_ONCE)] = 50,
    cursor: Cursor = None,
) -> Annotated[Json, Shown(shapes.ScheduleRuns)]:
    """Its last runs, the newest first, with what became of their commands."""

    def look(session: Session) -> tuple[list[Json], str | None]:
        schedules.get(session, schedule_id, actor=actor)
        rows, statuses = schedules.runs(session, schedule_id, limit=limit, cursor=cursor)
        return [views.schedule_run(row, statuses) for row in rows], rows.next

    return pages.whole(*await controller.store.read(look))


async def _changed(
    controller: Parts, actor: Actor, schedule_id: str, work: Work, response: Response
) -> dict[str, Any]:
    def whole(session: Session) -> tuple[Json, str]:
        row = work(session, schedules.get(session, schedule_id, actor=actor))
        return _shown(row), revisions.of_schedule(row)

    shown, version = await controller.store.write(whole)
    tag(response, version)
    return shown


def _shown(row: Schedule) -> Json:
    """A schedule with its next times. Reads files: of the time zone, the first time."""
    if row.next_run_at is None:
        return views.schedule(row, [])
    upcoming = [row.next_run_at]
    while len(upcoming) < UPCOMING:
        upcoming.append(timetable.following(row.cron, row.zone, upcoming[-1]))
    return views.schedule(row, upcoming)

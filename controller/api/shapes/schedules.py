"""Schedules: as somebody asks for one, and as they and their runs are shown."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool

from controller import timetable
from controller.api.shapes.orders import ValidFor, Wanted
from controller.api.shapes.shown import ID, MOMENT, Json, Page, asked, example, page
from controller.services import schedules
from controller.services.orders import Status
from controller.services.schedules import Missed, Outcome
from schemas.ids import Label
from schemas.wire import Instant, JsonObject

Cron = Annotated[
    str,
    Field(
        min_length=1,
        max_length=timetable.LONGEST,
        description="Minute, hour, day, month and weekday, as cron.",
    ),
]
Zone = Annotated[str, Field(min_length=1, max_length=64, description="A time zone by IANA's name.")]

_SCHEDULE: Json = {
    "schedule_id": ID.format(8),
    "name": "Folder of the day",
    "owner": "ada",
    "device_id": "workshop-pc",
    "group": None,
    "pace": None,
    "tool": "create_directory",
    "arguments": {"path": "/srv/files/Test"},
    "valid_s": 60.0,
    "when_online": False,
    "condition": None,
    "cron": "0 7 * * 1-5",
    "zone": "Europe/Amsterdam",
    "missed": "once",
    "paused": None,
    "created_at": MOMENT,
    "changed_at": MOMENT,
    "next_run_at": "2026-02-13T06:00:00.000Z",
    "upcoming": ["2026-02-13T06:00:00.000Z", "2026-02-16T06:00:00.000Z", "2026-02-17T06:00:00.000Z"],
    "last_run": {"at": MOMENT, "outcome": "ordered", "command_id": ID.format(1)},
}
_RUN: Json = {
    "planned_at": MOMENT,
    "at": MOMENT,
    "outcome": "ordered",
    "command_id": ID.format(1),
    "status": "succeeded",
    "reason": None,
}


class NewSchedule(Wanted):
    """What should be done at the times of a cron, on a device or on every device of a group.

    Without `zone` it is the controller's own. `missed`: what becomes of times at which it was off.
    """

    model_config = asked(
        {
            "cron": "0 7 * * 1-5",
            "zone": "Europe/Amsterdam",
            "device_id": "workshop-pc",
            "tool": "create_directory",
            "arguments": {"path": "/srv/files/Test"},
        }
    )

    name: Label | None = None
    cron: Cron
    zone: Zone | None = None
    missed: Missed = Missed.ONCE

    def as_wanted(self, zone: str) -> schedules.NewSchedule:
        """As the services know it."""
        order = schedules.Order(self.as_request(), self.group, self.pace)
        return schedules.NewSchedule(order, schedules.Timing(self.cron, zone, self.missed), self.name)


class ScheduleChange(BaseModel):
    """What of a schedule is to be otherwise; what is not said stays."""

    model_config = asked({"cron": "30 6 * * 1-5", "missed": "skip"})

    name: Label | None = None
    cron: Cron | None = None
    zone: Zone | None = None
    missed: Missed | None = None
    arguments: JsonObject | None = None
    valid_s: ValidFor | None = None
    when_online: StrictBool | None = None

    def as_change(self) -> schedules.Change:
        """As the services know it."""
        return schedules.Change(
            self.name, self.cron, self.zone, self.missed, self.arguments, self.valid_s, self.when_online
        )


class SchedulePause(BaseModel):
    """Why a schedule is paused, for whoever wonders."""

    model_config = asked({"reason": "On holiday"})

    reason: Label | None = None


class ScheduleResumption(BaseModel):
    """Nothing more is said of it."""

    model_config = asked({})


class Paused(BaseModel):
    """That a schedule does not run. `by`: a user, or `system` where the controller itself paused it."""

    since: Instant
    by: str
    reason: str | None


class LastRun(BaseModel):
    """What came of it the last time. `command_id`: what was ordered, or asked for in vain."""

    at: Instant
    outcome: Outcome
    command_id: str | None


class Pace(BaseModel):
    """How fast the devices of a group have their turn."""

    rate_per_s: float | None
    max_in_flight: int | None
    stop_after: int | None


class Schedule(BaseModel):
    """What is ordered at which times. `upcoming`: the next ones; none while it is paused."""

    model_config = example(_SCHEDULE)

    schedule_id: str
    name: str
    owner: str
    device_id: str | None
    group: str | None
    pace: Pace | None
    tool: str
    arguments: Json
    valid_s: float
    when_online: bool
    condition: Literal["online"] | Json | None
    cron: str
    zone: str
    missed: Missed
    paused: Paused | None
    created_at: Instant
    changed_at: Instant
    next_run_at: Instant | None
    upcoming: list[Instant]
    last_run: LastRun | None


class Schedules(Page[Schedule]):
    """Schedules, newest first."""

    model_config = page(_SCHEDULE)


class ScheduleRun(BaseModel):
    """One time that a schedule came to. `status`: that of its command now; null where that is not kept any more."""

    model_config = example(_RUN)

    planned_at: Instant
    at: Instant
    outcome: Outcome
    command_id: str | None
    status: Status | None
    reason: str | None


class ScheduleRuns(Page[ScheduleRun]):
    """Runs of a schedule, newest first."""

    model_config = page(_RUN)

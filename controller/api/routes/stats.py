"""Figures: which tools are used, what each device does, what fails again and again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Depends, Query

from controller.api import routing, shapes
from controller.api.deps import Controller, SeeingAll
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.services import orders, stats
from controller.services.stats import Window
from schemas.ids import DeviceId
from schemas.wire import Instant, format_instant

router = routing.router("stats", below="/stats")

At = Annotated[Instant | None, Query()]


@dataclass(frozen=True, slots=True)
class Scope:
    """What the figures are of."""

    since: At = None
    until: At = None
    device_id: DeviceId | None = None
    limit: Annotated[int, Query(ge=1, le=1000)] = 100

    def window(self) -> Window:
        """The time that is looked at."""
        return Window.of(self.since, self.until, now=datetime.now(UTC))


Asked = Annotated[Scope, Depends()]


@router.get("/tools", responses=refusals(404))
async def tools(
    controller: Controller,
    _actor: SeeingAll,
    asked: Asked,
) -> Annotated[Json, Shown(shapes.ToolFigures)]:
    """The tools that were used, the most used first; `since`: thirty days before `until`, `until`: now, unless said."""
    window = asked.window()
    wanted = partial(stats.usage, window=window, device_id=asked.device_id, limit=asked.limit)
    return _shown(window) | {
        "items": [
            {"tool": each.tool, **_ends(each.ends), "mean_duration_ms": each.mean_ms}
            for each in await controller.store.read(wanted)
        ]
    }


@router.get("/devices", responses=refusals(404))
async def devices(
    controller: Controller,
    _actor: SeeingAll,
    asked: Asked,
) -> Annotated[Json, Shown(shapes.DeviceFigures)]:
    """What each device did, those with most commands first; `…_by_period` counts in the pieces that `periods` begin."""
    window = asked.window()
    wanted = partial(stats.activity, window=window, device_id=asked.device_id, limit=asked.limit)
    return _shown(window) | {
        "period_s": window.step.total_seconds(),
        "periods": [format_instant(each.since) for each in window.periods()],
        "items": [_activity(each) for each in await controller.store.read(wanted)],
    }


@router.get("/failures", responses=refusals(404))
async def failures(
    controller: Controller,
    _actor: SeeingAll,
    asked: Asked,
    more_than: Annotated[int, Query(ge=0, le=1_000_000)] = stats.REPEATED,
) -> Annotated[Json, Shown(shapes.Failures)]:
    """What failed more than so often on one device, with one tool and in the same words, the most often first."""
    window = asked.window()
    wanted = partial(
        stats.failures, window=window, device_id=asked.device_id, more_than=more_than, limit=asked.limit
    )
    return _shown(window) | {
        "more_than": more_than,
        "items": [_failure(each) for each in await controller.store.read(wanted)],
    }


def _shown(window: Window) -> Json:
    return {"since": format_instant(window.since), "until": format_instant(window.until)}


def _ends(ends: stats.Ends) -> Json:
    return {"count": ends.count, **ends.counts(), "success_rate": ends.success_rate}


def _activity(each: stats.Activity) -> Json:
    return {
        "device_id": each.device_id,
        "status": each.status,
        **_ends(each.ends),
        "events": sum(each.events),
        "last_command_at": _time(each.last_command_at),
        "last_seen_at": _time(each.last_seen_at),
        "commands_by_period": each.commands,
        "events_by_period": each.events,
    }


def _failure(each: stats.Failure) -> Json:
    return {
        "device_id": each.device_id,
        "tool": each.tool,
        "message": each.message,
        "count": each.ends.count,
        **{status.value: each.ends.of(status) for status in sorted(orders.FAILURES)},
        "first_at": format_instant(each.first_at),
        "last_at": format_instant(each.last_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)

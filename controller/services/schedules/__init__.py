"""Schedules: orders that are given again and again, as their owner, with the rights of that moment."""

from controller.services.schedules.keeping import (
    MOST,
    Change,
    NewSchedule,
    Timing,
    add,
    change,
    get,
    listed,
    pause,
    remove,
    resume,
)
from controller.services.schedules.missed import AT_MOST, ON_TIME, Missed
from controller.services.schedules.ordering import Order
from controller.services.schedules.running import astray, due, plan_anew, run
from controller.services.schedules.runs import KEPT, Outcome, runs
from controller.services.schedules.timing import Following

__all__ = [
    "AT_MOST",
    "KEPT",
    "MOST",
    "ON_TIME",
    "Change",
    "Following",
    "Missed",
    "NewSchedule",
    "Order",
    "Outcome",
    "Timing",
    "add",
    "astray",
    "change",
    "due",
    "get",
    "listed",
    "pause",
    "plan_anew",
    "remove",
    "resume",
    "run",
    "runs",
]

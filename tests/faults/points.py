"""The named moments at which a program can be killed, as one table.

The product knows nothing of them: the driver wraps the named method before the program
starts. A point whose method has gone fails loudly at the start, not silently in the count.
"""

import importlib
import inspect
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any

from controller.store.notices import CommandQueued


class Needs(StrEnum):
    """What must happen for a point to be reached; the load then makes more of it."""

    COMMAND = "command"
    CANCEL = "cancel"
    EVENT = "event"
    WAITING = "waiting"  # an order for a device that is away
    GROUP = "group"  # an order to a group
    NOTHING = "nothing"  # a start is enough


@dataclass(frozen=True, slots=True)
class Moment:
    """Before or after one call. `owner` is a class, or empty for a function of the module."""

    module: str
    owner: str
    method: str
    after: bool = False
    wanted: Callable[[tuple[Any, ...], Any], bool] = lambda _arguments, _result: True


@dataclass(frozen=True, slots=True)
class Point:
    """One named moment. `then` is a second one that must follow: what was queued has left."""

    moment: Moment
    needs: Needs = Needs.COMMAND
    then: Moment | None = None


WRITTEN = Moment("broker.session.transport", "Transport", "_flush", after=True)


def _speaks(*kinds: str) -> Callable[[tuple[Any, ...], Any], bool]:
    """Whether the second argument, one message or several, is on such a topic."""

    def wanted(arguments: tuple[Any, ...], _result: Any) -> bool:
        messages = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
        return any(kind in message.topic.split("/") for message in messages for kind in kinds)

    return wanted


def _final(arguments: tuple[Any, ...], _result: Any) -> bool:
    return bool(arguments[2].status.is_final)


def _queued(arguments: tuple[Any, ...], _result: Any) -> bool:
    return isinstance(arguments[1], CommandQueued)


def _some(arguments: tuple[Any, ...], _result: Any) -> bool:
    return bool(arguments[1])


def _given(_arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(result)


def _new(_arguments: tuple[Any, ...], result: Any) -> bool:
    return result is None


def _mark(arguments: tuple[Any, ...], _result: Any) -> bool:
    return bool(arguments[1].tool.startswith("mark_"))


_OUTBOX, _INBOX = ("controller.mqtt.outbox", "Outbox"), ("controller.mqtt.inbox", "Inbox")
_COMMANDS, _SETTLING = ("controller.services.commands", ""), ("controller.services.settling", "")
_LETTERS = ("controller.mqtt.letters", "")
_SESSION = ("broker.session.connection", "Session")

CONTROLLER: dict[str, Point] = {
    "submit before COMMIT": Point(Moment(*_COMMANDS, "submit", after=True)),
    "submit after COMMIT": Point(Moment(*_OUTBOX, "hear", wanted=_queued)),
    "sent again, before COMMIT": Point(Moment(*_SETTLING, "depart", after=True, wanted=_given)),
    "waited for, before COMMIT": Point(
        Moment("controller.services.settling.moving", "", "leave", after=True), Needs.WAITING
    ),
    "group moved on, before COMMIT": Point(
        Moment("controller.services.rollouts", "", "advance", after=True), Needs.GROUP
    ),
    "before publish": Point(Moment(*_LETTERS, "command")),
    "published, before PUBACK": Point(Moment(*_LETTERS, "command", after=True), then=WRITTEN),
    "PUBACK, before its note": Point(Moment(*_SETTLING, "published")),
    "reply or event arrived": Point(Moment(*_INBOX, "_handle", wanted=_speaks("reply", "event"))),
    "reply before COMMIT": Point(Moment(*_SETTLING, "settle", after=True, wanted=_final)),
    "events before COMMIT": Point(
        Moment("controller.services.events", "", "store_all", after=True, wanted=_some), Needs.EVENT
    ),
    "stored, before Ack": Point(Moment(*_OUTBOX, "acknowledge", wanted=_some)),
    "Ack before PUBACK": Point(Moment(*_OUTBOX, "acknowledge", after=True, wanted=_some)),
    "Ack and PUBACK sent": Point(
        Moment(*_SESSION, "ack", after=True, wanted=_speaks("reply", "event")), then=WRITTEN
    ),
    "cancel before COMMIT": Point(Moment(*_COMMANDS, "cancel", after=True), Needs.CANCEL),
    "before cancel is sent": Point(Moment(*_LETTERS, "cancel"), Needs.CANCEL),
    "cancel sent": Point(Moment(*_LETTERS, "cancel", after=True), Needs.CANCEL, then=WRITTEN),
    "outbox loaded": Point(Moment(*_OUTBOX, "load", after=True), Needs.NOTHING),
}

_JOURNAL = ("device_node.journal", "Journal")
_EVENTS = ("device_node.events", "Events")

NODE: dict[str, Point] = {
    "command arrived": Point(Moment("device_node.runner", "Runner", "command")),
    "received, before PUBACK": Point(Moment(*_JOURNAL, "receive", after=True, wanted=_new)),
    "PUBACK of a command sent": Point(
        Moment(*_SESSION, "ack", after=True, wanted=_speaks("command")), then=WRITTEN
    ),
    "before start is journalled": Point(Moment(*_JOURNAL, "start")),
    "started, before the effect": Point(Moment(*_JOURNAL, "start", after=True)),
    "after the effect": Point(Moment("device_node.tools.tool", "BuiltIn", "run", after=True, wanted=_mark)),
    "before finish is journalled": Point(Moment(*_JOURNAL, "finish")),
    "finished, before the reply": Point(Moment(*_JOURNAL, "finish", after=True)),
    "reply sent": Point(Moment("device_node.replies", "Replies", "final", after=True), then=WRITTEN),
    "Ack arrived": Point(Moment(*_JOURNAL, "acknowledge")),
    "Ack applied": Point(Moment(*_JOURNAL, "acknowledge", after=True)),
    "cancel before it is journalled": Point(Moment(*_JOURNAL, "cancel"), Needs.CANCEL),
    "cancel journalled": Point(Moment(*_JOURNAL, "cancel", after=True), Needs.CANCEL),
    "before an event is journalled": Point(Moment(*_JOURNAL, "report"), Needs.EVENT),
    "event journalled, before it is sent": Point(Moment(*_JOURNAL, "report", after=True), Needs.EVENT),
    "event sent": Point(Moment(*_EVENTS, "report", after=True), Needs.EVENT, then=WRITTEN),
    "recovered": Point(Moment("device_node.runner", "Runner", "recover", after=True), Needs.NOTHING),
    "born": Point(Moment("device_node.link", "Link", "_be_born", after=True), Needs.NOTHING),
}

POINTS = CONTROLLER | NODE


class NoSuchPoint(Exception):
    """The table names something that the product does not have."""


def check() -> None:
    """Find every method of the table.

    Raises:
        NoSuchPoint: one has gone or was renamed.
    """
    for name, point in POINTS.items():
        for moment in (point.moment, *([point.then] if point.then else [])):
            try:
                getattr(_place(moment), moment.method)
            except (ImportError, AttributeError) as error:
                raise NoSuchPoint(f"{name}: {error}") from error


def arm(name: str, *, nth: int, after_s: float, last_words: Callable[[], None]) -> None:
    """Kill this process the n-th time that a point is reached, not before `after_s` have passed."""
    point = POINTS[name]
    armed_at = time.monotonic() + after_s
    lock = threading.Lock()
    left = [nth]
    due = threading.Event()

    def reached() -> None:
        with lock:
            if time.monotonic() < armed_at:
                return
            left[0] -= 1
            if left[0] > 0:
                return
        if point.then is None:
            die()
        due.set()

    def die() -> None:
        last_words()
        os.kill(os.getpid(), signal.SIGKILL)

    def followed() -> None:
        if due.is_set():
            die()

    wrap(point.moment, reached)
    if point.then is not None:
        wrap(point.then, followed)


def wrap(moment: Moment, reached: Callable[[], None]) -> None:
    """Have `reached` called at a moment from now on."""
    place = _place(moment)
    inner = getattr(place, moment.method)

    def note(arguments: tuple[Any, ...], result: Any, *, after: bool) -> None:
        if moment.after is after and moment.wanted(arguments, result):
            reached()

    @wraps(inner)
    def plain(*arguments: Any, **named: Any) -> Any:
        note(arguments, None, after=False)
        result = inner(*arguments, **named)
        note(arguments, result, after=True)
        return result

    @wraps(inner)
    async def waiting(*arguments: Any, **named: Any) -> Any:
        note(arguments, None, after=False)
        result = await inner(*arguments, **named)
        note(arguments, result, after=True)
        return result

    setattr(place, moment.method, waiting if inspect.iscoroutinefunction(inner) else plain)


def _place(moment: Moment) -> Any:
    module = importlib.import_module(moment.module)
    return getattr(module, moment.owner) if moment.owner else module

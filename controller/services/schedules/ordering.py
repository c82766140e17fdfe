"""What a schedule orders: looked at when somebody makes it, and submitted as its owner's at each run.

Both by the gate of every command. A schedule keeps no secret: it would be kept for as long as the schedule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from controller.errors import InvalidArguments, OrionError, Refused, UnknownDevice
from controller.services import arguments, commands, conditions, devices, rollouts, standing
from controller.services.actors import Actor, Role
from controller.services.commands import CommandRequest
from controller.services.policy import Verdict
from controller.services.rollouts import GroupRequest, Pace, members
from controller.store.tables import Device, Schedule, ToolExecution, User
from schemas.commands import Via
from schemas.errors import ErrorCode
from schemas.wire import JsonObject


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered; `request` names no device where it is for a group."""

    request: CommandRequest
    group: str | None = None
    pace: Pace | None = None

    def columns(self) -> dict[str, Any]:
        """As a schedule keeps it."""
        request, pace = self.request, self.pace
        condition = request.condition
        return {
            "device_id": request.device_id or None,
            "group_name": self.group,
            "pace": None if pace is None or self.group is None else _kept(pace),
            "tool_name": request.tool,
            "parameters": request.arguments,
            "valid_s": request.valid_s,
            "when_online": request.when_online,
            "condition": None if condition is None else condition.to_json(),
        }


def of(row: Schedule) -> Order:
    """What a schedule orders."""
    request = CommandRequest(
        row.device_id or "",
        row.tool_name,
        row.parameters,
        valid_s=row.valid_s,
        when_online=row.when_online,
        condition=conditions.kept(row.condition),
    )
    return Order(request, row.group_name, Pace(**(row.pace or {})))


def submit(session: Session, order: Order, *, actor: Actor, now: datetime) -> ToolExecution:
    """Order it, as anybody would.

    Raises:
        UnknownGroup: no device is in the group any more.
        Conflict: the group has grown too large for one order, or for one card.
    """
    if order.group is None:
        return commands.submit(session, order.request, actor=actor, now=now)
    wanted = GroupRequest(order.group, order.request, order.pace or Pace())
    return rollouts.submit(session, wanted, actor=actor, now=now)


def owner(session: Session, row: Schedule) -> Actor:
    """Whose schedule it is, with the rights that they have now.

    Raises:
        Refused: they are not let in any more.
    """
    user = session.get(User, row.owner)
    if user is None:
        raise Refused(f"There is no user {row.owner!r} any more.")
    if user.added_at > row.created_at:
        raise Refused(f"{row.owner} is somebody else than who made it.")
    actor = standing.by_name(session, row.owner, Via.SCHEDULE)
    if actor is None:
        raise Refused(f"{row.owner} is not let in at present.")
    return actor


def check(session: Session, order: Order, *, actor: Actor) -> None:
    """Make sure that this actor may have it done now, on one of a group's devices at least.

    Raises:
        UnknownDevice: there is none of that id, or none that they see.
        UnknownGroup: they see no device in it.
        Refused: they may not.
        InvalidArguments: the device cannot, or a secret is among the arguments.
    """
    if order.group is None:
        found = devices.get(session, order.request.device_id)
        if (objection := _objection(session, order, found, actor=actor)) is not None:
            raise objection
        return
    objections = _objections(session, order, members.of(session, order.group, actor=actor), actor=actor)
    if None not in objections:
        raise next(each for each in objections if each is not None)


def _objections(
    session: Session, order: Order, found: Sequence[Device], *, actor: Actor
) -> list[OrionError | None]:
    return [_objection(session, order, each, actor=actor) for each in found]


def _objection(session: Session, order: Order, device: Device, *, actor: Actor) -> OrionError | None:
    role = actor.role_on(device.device_id, device.groups)
    if role is Role.GUEST:
        return UnknownDevice(device.device_id)
    if role.rank < Role.OPERATOR.rank:
        return Refused(f"{actor.user} is {role} on {device.device_id}, and a schedule takes {Role.OPERATOR}.")
    request = replace(order.request, device_id=device.device_id)
    decision, shown = commands.explain(session, request, device=device, actor=actor)
    if decision.verdict is Verdict.DENY:
        reason = decision.reasons[0]
        return Refused(reason) if decision.code is ErrorCode.PERMISSION_DENIED else InvalidArguments(reason)
    if shown != arguments.recordable(decision.arguments):  # to one device of many is enough
        raise InvalidArguments("arguments: a secret is among them, and a schedule keeps none.")
    return None


def _kept(pace: Pace) -> JsonObject:
    return {
        "rate_per_s": pace.rate_per_s,
        "max_in_flight": pace.max_in_flight,
        "stop_after": pace.stop_after,
    }

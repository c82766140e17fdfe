"""A group of devices in the registry, and what their commands say."""

from typing import Any

from sqlmodel import Session, select

from controller.services import devices, rollouts, settling
from controller.services.actors import Actor
from controller.services.commands import CommandRequest
from controller.services.rollouts import GroupRequest, Pace
from controller.store.tables import ToolExecution
from schemas.commands import ReplyStatus
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_reply, an_error

UNPACED = Pace(max_in_flight=None)


def a_lab(session: Session, number: int, *, group: str = "lab", **place: Any) -> list[str]:
    """So many adopted devices of a group, online: `lab-000`, `lab-001` and so on."""
    ids = [f"{group}-{index:03}" for index in range(number)]
    for device_id in ids:
        devices.add(session, a_place(device_id, groups=(group,), **place), actor=ADMIN, now=NOON)
        devices.store_profile(session, device_id, a_profile(device_id), now=NOON)
        devices.store_presence(session, device_id, a_presence(), now=NOON)
    session.flush()
    return ids


def an_order(tool: str = "create_directory", *, pace: Pace = UNPACED, **fields: Any) -> GroupRequest:
    """A harmless order to the lab."""
    arguments = fields.pop("arguments", {"path": "Test"})
    return GroupRequest("lab", CommandRequest("", tool, arguments, **fields), pace)


def ordered(session: Session, order: GroupRequest, actor: Actor = ADMIN) -> ToolExecution:
    """The order, submitted at noon."""
    return rollouts.submit(session, order, actor=actor, now=NOON)


def children_of(session: Session, parent: ToolExecution) -> list[ToolExecution]:
    """Its devices' commands, by device."""
    session.flush()
    found = session.exec(select(ToolExecution).where(ToolExecution.parent_id == parent.id))
    return sorted(found, key=lambda row: row.device_id)


def statuses(session: Session, parent: ToolExecution) -> list[str]:
    """How they stand, by device; `held` are those that their pace holds back."""
    return ["held" if rollouts.is_held(row) else row.status for row in children_of(session, parent)]


def answer(session: Session, row: ToolExecution, status: ReplyStatus = ReplyStatus.SUCCEEDED) -> None:
    """What the device says of its command, and what that leads to."""
    error = None if status is ReplyStatus.SUCCEEDED else an_error()
    settling.settle(session, row.device_id, a_reply(row.id, status, error=error), now=NOON)
    rollouts.advance(session, str(row.parent_id), now=NOON)


def asked(session: Session, number: int = 2, pace: Pace | None = None) -> ToolExecution:
    """An order that a person has to decide."""
    a_lab(session, number)
    order = an_order("delete_path", pace=pace or Pace())
    return ordered(session, order)

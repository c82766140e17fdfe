"""Putting back what a command changed: a command of its own, under the same gate.

Its device said whether it kept what is needed; nothing is put back twice.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from controller.errors import Conflict
from controller.services import commands, orders
from controller.services.actors import Actor
from controller.services.commands import CommandRequest
from controller.services.orders import Status
from controller.services.requests import UNDO
from controller.services.sight import Sight
from controller.store.tables import ToolExecution

_HOLDS = [status.value for status in (*orders.OPEN, Status.SUCCEEDED)]  # an undo of these stands in the way


def submit(
    session: Session,
    command_id: str,
    *,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
    valid_s: float = commands.VALID_FOR,
) -> ToolExecution:
    """Ask the device to put back what the command changed, or with `dry_run` what that would be.

    Raises:
        UnknownCommand: it was never recorded, or the actor does not see it.
        Conflict: there is nothing to put back, or it is being put back already.
    """
    row = commands.get(session, command_id, sight=Sight(session, actor))
    obstacle = _obstacle(session, row)
    if obstacle is not None:
        raise Conflict(obstacle)
    request = CommandRequest(
        row.device_id, UNDO, {"command_id": row.id}, dry_run=dry_run, valid_s=valid_s, undoes=row.id
    )
    return commands.submit(session, request, actor=actor, now=now)


def leaves_something(row: ToolExecution) -> bool | None:
    """Whether its device kept what putting it back needs; None while nobody can know."""
    if not Status(row.status).is_final:
        return None
    return row.status == Status.SUCCEEDED and not row.dry_run and (row.result or {}).get("undo") is True


def taken_up(session: Session, rows: Iterable[ToolExecution]) -> frozenset[str]:
    """Those of these commands that were put back, or are about to be."""
    wanted = [row.id for row in rows if leaves_something(row)]
    if not wanted:
        return frozenset()
    query = select(ToolExecution.undoes).where(
        col(ToolExecution.undoes).in_(wanted),
        col(ToolExecution.dry_run).is_(False),
        col(ToolExecution.status).in_(_HOLDS),
    )
    return frozenset(each for each in session.exec(query) if each is not None)


def _obstacle(session: Session, row: ToolExecution) -> str | None:
    status = Status(row.status)
    if row.group_name is not None:
        return f"Command {row.id} went to a group: undo the commands of its devices, one by one."
    if not status.is_final:
        return f"Command {row.id} has not ended yet, it is {status.value}."
    if status is not Status.SUCCEEDED:
        return f"Command {row.id} did not succeed, it is {status.value}: there is nothing to put back."
    if row.dry_run:
        return f"Command {row.id} was a preview and changed nothing."
    if not leaves_something(row):
        return f"{row.tool_name} left nothing that could be put back."
    if taken_up(session, [row]):
        return f"Command {row.id} was undone already, or is about to be."
    return None

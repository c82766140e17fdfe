"""An order with a precondition, the question that its device is asked, and the answer."""

from typing import Any

from sqlmodel import Session

from controller.services import commands, conditions, settling
from controller.services.conditions import Condition
from controller.store import notices
from controller.store.tables import ToolExecution
from tests.factories import ADMIN, NOON, a_reply, a_request, later

EXISTS = Condition("path_info", {"path": "Backup"}, "exists")


def submit(session: Session, condition: Condition = EXISTS, **fields: Any) -> ToolExecution:
    request = a_request(condition=condition, **fields)
    row = commands.submit(session, request, actor=ADMIN, now=NOON)
    session.flush()
    return row


def question(session: Session, row: ToolExecution) -> ToolExecution:
    return commands.get(session, conditions.checked_by(row) or "")


def answer(session: Session, row: ToolExecution, at: float = 1.0, **result: Any) -> None:
    reply = a_reply(question(session, row).id, result=result)
    settling.settle(session, "laptop", reply, now=later(at))
    session.flush()


def queued(session: Session) -> list[str]:
    return [each.command.id for each in notices.of(session) if isinstance(each, notices.CommandQueued)]

"""What came of a turn: one object that a program can act on, and nothing the model claims."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from controller.services.orders import Status
from controller.services.policy import Verdict
from controller.store.tables import ToolExecution
from schemas.errors import ErrorBody
from schemas.wire import JsonObject

Outcome = Literal["calls", "question", "answer", "refused", "declined", "error"]


class CallReport(BaseModel):
    """One call: what was decided about it and where it stands."""

    model_config = ConfigDict(frozen=True)

    command_id: str
    device_id: str | None
    tool: str
    arguments: JsonObject
    decision: Verdict
    approval_id: str | None = None
    reasons: list[str]
    risk: str
    status: Status
    result: JsonObject | None = None
    error: JsonObject | None = None

    @classmethod
    def of(cls, row: ToolExecution) -> "CallReport":
        """The report of a command's row."""
        return cls(
            command_id=row.id,
            device_id=row.device_id or None,
            tool=row.tool_name,
            arguments=row.parameters,
            decision=Verdict(row.decision),
            approval_id=row.approval_id,
            reasons=row.reasons,
            risk=row.risk,
            status=Status(row.status),
            result=row.result,
            error=row.error,
        )


class AskedBack(BaseModel):
    """A question to the person; any of the options is an answer."""

    model_config = ConfigDict(frozen=True)

    text: str
    options: list[str]


class TurnReport(BaseModel):
    """The whole turn. `text` is what a person reads; every claim in it is from a receipt."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    session_id: str
    outcome: Outcome
    planner: str
    calls: list[CallReport] = Field(default_factory=list)
    question: AskedBack | None = None
    text: str
    error: ErrorBody | None = None


def outcome_of(rows: Sequence[ToolExecution]) -> Outcome:
    """`refused` when permission let none of the calls through, else `calls`."""
    refused = [row.decision == Verdict.DENY.value or row.status == Status.CANCELLED.value for row in rows]
    denied = any(row.decision == Verdict.DENY.value for row in rows)
    return "refused" if denied and all(refused) else "calls"

"""What a command's row says of its way, told as spans when it has ended: nothing is kept for it meanwhile.

So a restart in between loses nothing of it, and where nobody looks on it costs nothing.
"""

from collections.abc import Iterator
from datetime import datetime

from controller.services.orders import FAILURES, Status
from controller.store.notices import CommandChanged, Notice
from controller.store.tables import ToolExecution
from schemas import traces
from schemas.spans import Facts, Kind, Span, Spans


class CommandSpans:
    """Tells of commands that have ended."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def hear(self, notice: Notice) -> None:
        """Tell of the command that a notice says has ended."""
        if self._spans.wanted and isinstance(notice, CommandChanged) and notice.final:
            for span in _of(notice.command):
                self._spans.tell(span)


def _of(row: ToolExecution) -> Iterator[Span]:
    """The command, and as its parts the wait for a person, its leaving, and what its device did about it."""
    whole = traces.of_command(row.trace_id, row.id)
    facts: Facts = {
        "orion.command_id": row.id,
        "orion.device_id": row.device_id or row.group_name or "",
        "orion.tool": row.tool_name,
        "orion.status": row.status,
        "orion.decision": row.decision,
        "orion.risk": row.risk,
        "orion.via": row.via,
        "orion.user": row.requested_by,
    }
    failed = row.status if Status(row.status) in FAILURES else None

    def span(name: str, kind: Kind, began: datetime | None, ended: datetime | None) -> Iterator[Span]:
        if began is not None and ended is not None:
            yield Span(whole.below(), whole.span_id, name, kind, began.timestamp(), ended.timestamp(), {})

    ended = row.finished_at or row.issued_at
    began_at, ended_at = row.issued_at.timestamp(), ended.timestamp()
    yield Span(whole, row.asked_in, f"command {row.tool_name}", "internal", began_at, ended_at, facts, failed)
    if row.approval_id is not None:
        yield from span("approval", "internal", row.issued_at, row.released_at or ended)
    yield from span("mqtt publish", "producer", row.released_at, row.published_at)
    yield from span("mqtt reply", "consumer", row.accepted_at, row.finished_at)

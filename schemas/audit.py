"""What administrators may read along: who did what, as it is put on record."""

from schemas.wire import Instant, WireModel


class AuditLine(WireModel):
    """One line of the audit, without arguments; a fact that there is none of is left out.

    It is for looking on, QoS 0: what counts is the record that the controller keeps.
    """

    at: Instant
    actor: str
    via: str
    action: str
    device_id: str | None = None
    tool: str | None = None
    command_id: str | None = None
    approval_id: str | None = None
    trace_id: str | None = None

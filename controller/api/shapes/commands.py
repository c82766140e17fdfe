"""Commands, the cards on which a person decides about them, and what a turn of the assistant says."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from controller.api.shapes.shown import HASH, ID, MOMENT, Json, Page, example, page
from controller.assistant.outcome import TurnReport
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.policy import Verdict
from schemas.assistant import ApprovalCommand, Response
from schemas.commands import Via
from schemas.devices import Risk
from schemas.errors import ErrorBody
from schemas.wire import Instant

_COMMAND: Json = {
    "command_id": ID.format(1),
    "device_id": "workshop-pc",
    "tool": "create_directory",
    "arguments": {"path": "/srv/files/Test"},
    "dry_run": False,
    "when_online": False,
    "condition": None,
    "undoes": None,
    "parent_id": None,
    "group": None,
    "rollout": None,
    "requested_by": "ada",
    "via": "api",
    "decision": "allow",
    "risk": "low",
    "reasons": ["ada may use create_directory"],
    "layers": [{"layer": "role", "verdict": "allow", "reason": "ada may use create_directory"}],
    "approval_id": None,
    "follows": None,
    "status": "succeeded",
    "progress": None,
    "result": {"created": True, "undo": True},
    "error": None,
    "undoable": True,
    "attempt": 1,
    "session_id": None,
    "trace_id": "0199f6a27c0070008000000000000001",
    "user_query": None,
    "issued_at": MOMENT,
    "expires_at": "2026-02-12T10:31:05.120Z",
    "published_at": MOMENT,
    "accepted_at": None,
    "finished_at": MOMENT,
    "duration_ms": 12.5,
}
_CARD: Json = {
    "approval_id": ID.format(2),
    "hash": HASH,
    "summary": "delete_path on workshop-pc: path=/srv/files/Test",
    "risk": "high",
    "reasons": ["high risk asks a person"],
    "commands": [
        {"device_id": "workshop-pc", "tool": "delete_path", "arguments": {"path": "/srv/files/Test"}}
    ],
    "requested_by": "ada",
    "status": "pending",
    "created_at": MOMENT,
    "expires_at": "2026-02-12T10:31:05.120Z",
    "decided_at": None,
    "decided_by": None,
    "comment": None,
}


class Layer(BaseModel):
    """What one layer of the permission said, and why. `code`: of a denial."""

    layer: str
    verdict: Verdict
    reason: str
    code: str | None = None


class Asked(BaseModel):
    """A look that must answer true right before a command leaves. `checked_by`: the command that looked last."""

    tool: str
    arguments: Json
    field: str | None = None
    checked_by: str | None = None


class Rollout(BaseModel):
    """The pace of an order to a group, and how far it is: how many of its commands are in which state."""

    rate_per_s: float | None
    max_in_flight: int | None
    stop_after: int | None
    stopped: bool
    next_at: str | None
    patient_until: str | None
    total: int | None = None
    open: int | None = None
    waiting: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    denied: int | None = None
    rejected: int | None = None
    expired: int | None = None
    cancelled: int | None = None
    interrupted: int | None = None


class StationShown(BaseModel):
    """Something that happened: when, what, by whose doing. `said`: why, or how it went."""

    at: Instant
    event: str
    actor: str
    via: str | None
    said: str | None
    command_id: str | None
    device_id: str | None
    tool: str | None
    since_ms: float
    after_ms: float


class Timeline(BaseModel):
    """What a trace or a command set in motion. `commands`: how many there are, shown or not."""

    model_config = example(
        {
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "commands": 1,
            "items": [
                {
                    "at": MOMENT,
                    "event": "asked",
                    "actor": "ada",
                    "via": "api",
                    "said": None,
                    "command_id": ID.format(1),
                    "device_id": "workshop-pc",
                    "tool": "create_directory",
                    "since_ms": 0.0,
                    "after_ms": 0.0,
                }
            ],
        }
    )

    trace_id: str
    commands: int
    items: list[StationShown]


class Command(BaseModel):
    """One command: what was asked, decided, and how it went.

    Who may only look sees no arguments and results of what others ordered, and nobody what another person said: null.
    """

    model_config = example(_COMMAND)

    command_id: str
    device_id: Annotated[str | None, Field(description="Null for an order to a group.")]
    tool: str
    arguments: Annotated[Json | None, Field(description="What is secret in them is `***`.")]
    dry_run: bool
    when_online: bool
    condition: Literal["online"] | Asked | None
    undoes: Annotated[str | None, Field(description="The command that this one puts back.")]
    parent_id: Annotated[str | None, Field(description="The order to a group that this one is of.")]
    group: str | None
    rollout: Rollout | None
    requested_by: str
    via: Via
    decision: Verdict
    risk: Risk
    reasons: list[str] | None
    layers: list[Layer] | None
    approval_id: str | None
    follows: Annotated[str | None, Field(description="It runs only after this one has succeeded.")]
    status: Status
    progress: Annotated[float | None, Field(description="From 0 to 1.")]
    result: Json | None
    error: ErrorBody | None
    undoable: Annotated[
        bool | None, Field(description="Whether it can be put back; null while nobody knows.")
    ]
    attempt: Annotated[int, Field(description="How often it was published.")]
    session_id: str | None
    trace_id: str
    user_query: str | None
    issued_at: Instant
    expires_at: Instant
    published_at: Instant | None
    accepted_at: Instant | None
    finished_at: Instant | None
    duration_ms: float | None


class Explained(BaseModel):
    """What the gate would say of a command at this moment."""

    model_config = example(
        {
            name: _COMMAND[name]
            for name in ("device_id", "tool", "arguments", "decision", "risk", "reasons", "layers")
        }
    )

    device_id: str
    tool: str
    arguments: Json
    decision: Verdict
    risk: Risk
    reasons: list[str]
    layers: list[Layer]


class Commands(Page[Command]):
    """Commands, newest first."""

    model_config = page(_COMMAND)


class Approval(BaseModel):
    """One card, with everything a person should see before deciding."""

    model_config = example(_CARD)

    approval_id: str
    hash: Annotated[str, Field(description="Of exactly these commands: who decides, decides these.")]
    summary: str
    risk: Risk
    reasons: list[str]
    commands: list[ApprovalCommand]
    requested_by: str
    status: ApprovalStatus
    created_at: Instant
    expires_at: Instant
    decided_at: Instant | None
    decided_by: str | None
    comment: str | None


class Approvals(Page[Approval]):
    """Cards, newest first."""

    model_config = page(_CARD)


class Decided(Approval):
    """A card after a person's word, and the commands it let go."""

    model_config = example(
        {**_CARD | {"status": "denied", "decided_at": MOMENT, "decided_by": "ada"}, "results": [], "text": ""}
    )

    results: list[Command]
    text: Annotated[str, Field(description="What came of them, for a person.")]


class Report(TurnReport):
    """The last line of an answer: all of the turn."""

    type: Literal["report"]


class Failed(BaseModel):
    """The last line of an answer that came to nothing."""

    type: Literal["problem"]
    error: ErrorBody


class Line(RootModel[Response | Report | Failed]):
    """One line of an answer of the assistant."""

    model_config = example(
        {
            "request_id": ID.format(7),
            "seq": 0,
            "type": "final",
            "at": MOMENT,
            "text": "De map Test is gemaakt op workshop-pc.",
        }
    )

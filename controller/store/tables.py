"""Every table of the store. Rows are written by `services` and nobody else."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from controller.store.types import JsonColumn, UtcTime

Json = dict[str, Any]


def _json(*, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(JsonColumn, nullable=nullable))


def _list() -> Any:
    return Field(default_factory=list, sa_column=Column(JsonColumn, nullable=False))


def _time(*, nullable: bool = True, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=nullable, index=index))


_IN_A_GROUP = text("parent_id IS NOT NULL")
_RESOLVES = text("resolves IS NOT NULL")
_OPEN, _OPEN_SQLITE = text("NOT resolved"), text("resolved = 0")  # as each database is asked for them
_LIVE, _LIVE_SQLITE = text("is_active"), text("is_active = 1")
_OVER, _OVER_SQLITE = text("resolved"), text("resolved = 1")
_NOTED, _NOTED_SQLITE = text("acknowledged"), text("acknowledged = 1")
_NO_COMMAND = text("trace_id IS NOT NULL AND command_id IS NULL")
_ENDED = text("finished_at IS NOT NULL")


def _device(*, primary_key: bool = False) -> Any:
    """The id of a device that has a place; what hangs on it goes with it."""
    reference = ForeignKey("devices.device_id", ondelete="CASCADE")
    nullable = not primary_key
    column = Column(String, reference, nullable=nullable, primary_key=primary_key, index=not primary_key)
    return Field(default=None, sa_column=column)


def _user(*, index: bool = False) -> Any:
    """The name of a user; what is theirs alone goes with them."""
    reference = ForeignKey("users.username", ondelete="CASCADE")
    return Field(sa_column=Column(String, reference, nullable=False, index=index))


class Device(SQLModel, table=True):
    """A place for one device: who it is, what it said, what its owner allows.

    A list of `allowed_…` that is NULL means that the owner did not narrow; the
    device's own list in `profile` then counts alone.
    """

    __tablename__ = "devices"

    id: str = Field(primary_key=True)
    device_id: str = Field(unique=True, index=True)
    name: str | None = None
    aliases: list[str] = _list()
    tags: list[str] = _list()
    groups: list[str] = _list()
    area: str | None = None

    hostname: str | None = None
    os_type: str | None = None
    os_version: str | None = None
    capabilities: Json | None = _json()
    cpu_info: str | None = None
    ram_gb: float | None = None
    disk_gb: float | None = None

    public_key: str | None = None  # Ed25519, base64url: what it signs with; None: it does not sign
    enrolled_at: datetime | None = _time()  # when that key was taken in
    suspended_until: datetime | None = _time(
        index=True
    )  # its identity is taken away for a while: too many messages

    policy: str = "assist"
    allowed_tools: list[str] | None = _json()
    allowed_paths: list[str] | None = _json()
    allowed_apps: list[str] | None = _json()
    adopt_first: bool = False  # the first profile that arrives is adopted without a look
    adopted_at: datetime | None = _time()
    adopted_tools: Json | None = _json()  # tool name -> SHA-256 of its RFC 8785 form

    profile: str | None = None  # the last one, as JSON text: read far more often than changed
    status: str = Field(default="never_seen", index=True)
    boot_id: str | None = None  # of the device's present life
    boots: Json | None = _json()  # recent boot ids -> when each last said `online`, and on which computer
    status_reason: str | None = None
    clock_skew_s: float | None = None  # how far its clock is ahead of ours; negative: behind
    last_heartbeat: datetime | None = _time(index=True)
    heartbeat: Json | None = _json()
    pulse: Json | None = _json()  # its pace and the last measurements of its clock, in the present life
    doubled_at: datetime | None = _time(index=True)  # when a second program of its name last showed
    silent_since: datetime | None = _time(index=True)  # set while it is online and judged by its heartbeats
    last_seen_at: datetime | None = _time()
    last_used_at: datetime | None = _time()
    registered_at: datetime = _time(nullable=False)
    updated_at: datetime = _time(nullable=False)


class DeviceLink(SQLModel, table=True):
    """That one device depends on another one, or is a part of it."""

    __tablename__ = "device_links"
    __table_args__ = (Index("ix_device_links_other_id", "other_id"),)

    device_id: str = _device(primary_key=True)
    other_id: str = _device(primary_key=True)
    kind: str = Field(primary_key=True)  # depends_on | part_of
    added_by: str
    added_at: datetime = _time(nullable=False)


class Conversation(SQLModel, table=True):
    """One conversation of a person with the assistant."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user", "user", "started_at"),
        Index("ix_sessions_is_active", "is_active", "started_at"),
        Index("ix_sessions_of_user", "user", "started_at", sqlite_where=_LIVE_SQLITE, postgresql_where=_LIVE),
    )

    id: str = Field(primary_key=True)
    user: str
    device_id: str | None = _device()
    started_at: datetime = _time(nullable=False, index=True)
    ended_at: datetime | None = _time()
    is_active: bool = True
    context: Json | None = _json()
    message_count: int = 0
    tool_execution_count: int = 0


class Message(SQLModel, table=True):
    """One thing said in a conversation. `content` of a tool message is untrusted."""

    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_session_id", "session_id", "number"),)

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    id: str = Field(unique=True)
    session_id: str = Field(
        sa_column=Column(String, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False)
    )
    role: str
    content: str
    tool_calls: list[Json] | None = _json()
    tokens_used: int | None = None
    created_at: datetime = _time(nullable=False, index=True)


class MemoryRow(SQLModel, table=True):
    """Something to be remembered. What a device said (`source`) is untrusted and stays so.

    `owner` is whose it is in its scope: a user, a device, a conversation, or nobody (`global`).
    """

    __tablename__ = "context_memory"
    __table_args__ = (
        UniqueConstraint("scope", "owner", "key"),
        Index("ix_context_memory_category", "category", "updated_at"),
        Index("ix_context_memory_scope", "scope", "updated_at", "id"),
    )

    id: str = Field(primary_key=True)
    key: str = Field(index=True)
    value: Any = Field(sa_column=Column(JsonColumn, nullable=False))
    scope: str  # global | user | device | session
    owner: str = ""
    device_id: str | None = _device()
    user: str  # who had it remembered
    category: str | None = None
    tags: list[str] = _list()
    source: str  # person | assistant | device
    expires_at: datetime | None = _time(index=True)
    created_at: datetime = _time(nullable=False)
    updated_at: datetime = _time(nullable=False, index=True)


class ToolExecution(SQLModel, table=True):
    """One command: who asked what of which device, what was decided, and how it ended."""

    __tablename__ = "tool_executions"
    __table_args__ = (
        # the list is sorted by the id, whatever it is narrowed to
        Index("ix_tool_executions_device_id", "device_id", "id"),
        Index("ix_tool_executions_status", "status", "id"),
        Index("ix_tool_executions_open", "device_id", "status", "id"),
        Index("ix_tool_executions_success", "success", "finished_at"),
        Index(  # the two from which figures are counted, without a look at the rows
            "ix_tool_executions_of_tool",
            "tool_name",
            "status",
            "finished_at",
            "duration_ms",
            "dry_run",
            "device_id",
            sqlite_where=_ENDED,
            postgresql_where=_ENDED,
        ),
        Index(
            "ix_tool_executions_of_device",
            "device_id",
            "status",
            "finished_at",
            "dry_run",
            sqlite_where=_ENDED,
            postgresql_where=_ENDED,
        ),
        Index(  # a group's are counted and the next found at every step, without a look at the rows
            "ix_tool_executions_family",
            "parent_id",
            "status",
            "released_at",
            "follows",
            "device_id",
            sqlite_where=_IN_A_GROUP,
            postgresql_where=_IN_A_GROUP,
        ),
    )

    id: str = Field(primary_key=True)
    session_id: str | None = Field(default=None, index=True)
    device_id: str
    tool_name: str = Field(index=True)
    parameters: Json = _json(nullable=False)  # secrets as `***`
    secret_parameters: Json | None = (
        _json()
    )  # the whole, only where there are secrets and only until it is final
    dry_run: bool = False
    user_query: str | None = None
    llm_reasoning: str | None = None
    requested_by: str
    role: str
    via: str
    api_key_id: str | None = None  # that they came with
    trace_id: str = Field(index=True)  # a label: a caller may have chosen it
    asked_in: str | None = None  # the piece of work of that trace in which it was asked for
    plan_id: str | None = Field(default=None, index=True)  # the same for what is decided together; ours alone

    decision: str  # allow | ask | deny
    reasons: list[str] = _list()
    layers: list[Json] = _list()
    risk: str
    approval_id: str | None = Field(default=None, index=True)
    follows: str | None = Field(default=None, index=True)  # runs only after this one has succeeded
    when_online: bool = False  # waits for its device, up to its expiry
    condition: Json | None = _json()  # {"tool", "arguments", "field"?}: must answer true before this leaves
    undoes: str | None = Field(default=None, index=True)  # the command that this one puts back
    parent_id: str | None = None  # the command to a group that this is one of
    group_name: str | None = None  # on the parent: whom it is for
    rollout: Json | None = _json()  # on the parent: pace, limits and how far it is

    status: str
    success: bool | None = None
    result: Json | None = _json()
    error: Json | None = _json()
    error_message: str | None = None
    progress: float | None = None
    attempt: int = 0
    timeout_s: float
    valid_s: float  # how long it may wait from the moment it may leave
    issued_at: datetime = _time(nullable=False)
    expires_at: datetime = _time(nullable=False, index=True)
    released_at: datetime | None = _time()  # from here on it may have left, whatever else is known
    published_at: datetime | None = _time()  # a broker said it has it
    accepted_at: datetime | None = _time()
    executed_at: datetime | None = _time(index=True)
    finished_at: datetime | None = _time()
    duration_ms: float | None = None


class ApprovalRow(SQLModel, table=True):
    """A question to a person, bound by `hash` to the exact commands, decided once."""

    __tablename__ = "approvals"
    __table_args__ = (Index("ix_approvals_status", "status", "id"),)

    id: str = Field(primary_key=True)
    hash: str
    summary: str
    risk: str
    reasons: list[str] = _list()
    commands: list[Json] = _list()
    requested_by: str = Field(index=True)
    session_id: str | None = None
    status: str = "pending"
    created_at: datetime = _time(nullable=False)
    expires_at: datetime = _time(nullable=False, index=True)
    decided_at: datetime | None = _time()
    decided_by: str | None = None
    comment: str | None = None


class AuditEntry(SQLModel, table=True):
    """Who did what. Rows are added, never changed: each carries the hash of the one before in its chain.

    A row of an earlier release has no hash; the chain begins behind it.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        UniqueConstraint("instance", "position", name="uq_audit_log_position"),
        Index("ix_audit_log_action", "action", "number"),
        Index("ix_audit_log_device_id", "device_id", "action", "number"),
        Index(  # what a trace did beside its commands
            "ix_audit_log_of_trace", "trace_id", sqlite_where=_NO_COMMAND, postgresql_where=_NO_COMMAND
        ),
    )

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    at: datetime = _time(nullable=False, index=True)
    actor: str = Field(index=True)
    via: str
    action: str
    device_id: str | None = None
    tool: str | None = None
    command_id: str | None = Field(default=None, index=True)
    approval_id: str | None = None
    trace_id: str | None = None
    detail: Json | None = _json()
    instance: str | None = None  # the controller whose chain this is in
    position: int | None = None  # in that chain, from 1
    previous: str | None = None  # hash of the row before it
    hash: str | None = None  # of its own content, RFC 8785, with `previous`


class AuditCut(SQLModel, table=True):
    """Up to where a chain was archived: what was signed when its oldest rows were taken away."""

    __tablename__ = "audit_cuts"

    instance: str = Field(primary_key=True)
    statement: Json = _json(nullable=False)


class EventRow(SQLModel, table=True):
    """Something a device noticed; stored once per device and id."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_of_device", "device_id", "received_at"),
        Index(
            "ix_events_resolves",
            "resolves",
            sqlite_where=_RESOLVES,
            postgresql_where=_RESOLVES,
        ),
        Index("ix_events_event_type", "event_type", "received_at"),
        Index("ix_events_severity", "severity", "received_at"),
        Index(
            "ix_events_open",
            "device_id",
            "received_at",
            sqlite_where=_OPEN_SQLITE,
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_events_unresolved",
            "received_at",
            sqlite_where=_OPEN_SQLITE,
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_events_acknowledged",
            "received_at",
            sqlite_where=_NOTED_SQLITE,
            postgresql_where=_NOTED,
        ),
        Index("ix_events_over", "created_at", sqlite_where=_OVER_SQLITE, postgresql_where=_OVER),
    )

    id: str = Field(primary_key=True)
    device_id: str = Field(primary_key=True)
    event_type: str
    severity: str
    data: Json = _json(nullable=False)
    resolves: str | None = None  # the event of this device that is over by this one, come or still to come
    acknowledged: bool = False
    resolved: bool = False
    created_at: datetime = _time(nullable=False, index=True)
    received_at: datetime = _time(nullable=False, index=True)
    acknowledged_at: datetime | None = _time()
    acknowledged_by: str | None = None
    resolved_at: datetime | None = _time()
    resolved_by: str | None = None  # a user; None: its device said so


class Metric(SQLModel, table=True):
    """What a device measured, over some time: as it came (up to some minutes together), or many of these in one row."""

    __tablename__ = "metrics"
    __table_args__ = (Index("ix_metrics_age", "seconds", "at"),)

    device_id: str = _device(primary_key=True)
    measure: str = Field(primary_key=True)
    seconds: int = Field(primary_key=True)  # that a row stands for: 0 as it came, 300, 3600
    at: datetime = Field(
        sa_column=Column(UtcTime, primary_key=True)
    )  # when these began; as it came: the first value
    count: int = 1
    mean: float
    low: float
    high: float


class MetricProgress(SQLModel, table=True):
    """How far rows of so many `seconds` are made: earlier periods may be written (`begun`), and are (`done`)."""

    __tablename__ = "metric_progress"

    seconds: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    begun: datetime = _time(nullable=False)
    done: datetime = _time(nullable=False)


class Invitation(SQLModel, table=True):
    """A join code that was given out. The code itself is not kept, only what proves that somebody has it."""

    __tablename__ = "invitations"

    id: str = Field(primary_key=True)
    device_id: str = Field(index=True)
    invited_by: str
    proof_key: str | None = None  # derived from the code; gone once the code is worth nothing
    created_at: datetime = _time(nullable=False)
    expires_at: datetime = _time(nullable=False, index=True)
    used_at: datetime | None = _time()
    used_key: str | None = None  # the public key that came with it: the same device may ask again
    faults: int = 0  # requests that did not prove the code


class User(SQLModel, table=True):
    """A person or program that speaks to the controller, and what it may reach at most."""

    __tablename__ = "users"

    username: str = Field(primary_key=True)
    role: str
    added_by: str
    added_at: datetime = _time(nullable=False)
    password_hash: str | None = None  # Argon2id; None: signs in nowhere but at the broker
    password_at: datetime | None = _time()
    password_once: bool = False  # it opens one sign-in, and another one is chosen there
    disabled_at: datetime | None = _time()  # comes in nowhere while it stands


class GrantRow(SQLModel, table=True):
    """A role that a user has on one device, or on every device of a group, beside the one they have on all."""

    __tablename__ = "grants"
    __table_args__ = (UniqueConstraint("username", "device_id"), UniqueConstraint("username", "group_name"))

    id: str = Field(primary_key=True)
    username: str = _user(index=True)
    device_id: str | None = _device()  # either this
    group_name: str | None = None  # or that
    role: str
    granted_by: str
    granted_at: datetime = _time(nullable=False)


class ApiKey(SQLModel, table=True):
    """What a program of somebody's comes in with. The key itself is not kept."""

    __tablename__ = "api_keys"

    id: str = Field(primary_key=True)
    username: str = _user(index=True)
    name: str
    hash: str  # SHA-256 of its secret part, hexadecimal
    scopes: list[str] = _list()
    devices: list[str] = _list()  # patterns of ids; empty: every device of its user
    created_at: datetime = _time(nullable=False)
    expires_at: datetime | None = _time()
    last_used_at: datetime | None = _time()
    revoked_at: datetime | None = _time()


class SignIn(SQLModel, table=True):
    """Somebody who came in, until they go or it ends."""

    __tablename__ = "sign_ins"
    __table_args__ = (Index("ix_sign_ins_open", "username", "ended_at"),)

    id: str = Field(primary_key=True)
    username: str = _user()
    client: str  # what it says of itself
    address: str
    begun_at: datetime = _time(nullable=False, index=True)
    used_at: datetime = _time(nullable=False)
    ended_at: datetime | None = _time()
    ended_why: str | None = None


class RefreshToken(SQLModel, table=True):
    """What a sign-in is renewed by, once. The token itself is not kept."""

    __tablename__ = "refresh_tokens"

    hash: str = Field(primary_key=True)  # SHA-256, hexadecimal
    sign_in_id: str = Field(
        sa_column=Column(String, ForeignKey("sign_ins.id", ondelete="CASCADE"), nullable=False, index=True)
    )
    issued_at: datetime = _time(nullable=False)
    expires_at: datetime = _time(nullable=False, index=True)
    used_at: datetime | None = _time()
    successor: str | None = None  # hash of what it was renewed to; one that is void has a `used_at` and none


class DeviceCode(SQLModel, table=True):
    """A program without a browser that waits until a person lets it in. Its long code is not kept."""

    __tablename__ = "device_codes"

    hash: str = Field(primary_key=True)  # SHA-256 of the long code, hexadecimal
    user_code: str = Field(sa_column=Column(String, nullable=False, unique=True))  # the short one
    client: str  # what it says of itself
    address: str
    place: str  # whom the address is counted with
    begun_at: datetime = _time(nullable=False)
    expires_at: datetime = _time(nullable=False, index=True)
    interval_s: int  # between two looks at least
    polled_at: datetime | None = _time()
    status: str  # pending, approved, denied or used
    username: str | None = Field(  # who said yes or no
        default=None, sa_column=Column(String, ForeignKey("users.username", ondelete="CASCADE"))
    )
    decided_at: datetime | None = _time()
    sign_in_id: str | None = None  # what it opened
    shown_to: str | None = None  # who looks at it and is asked
    shown_hash: str | None = Field(default=None, index=True)  # SHA-256 of what their answer has to hold


class Identity(SQLModel, table=True):
    """Who somebody is at an identity provider: its own word for them, which it gives to nobody else."""

    __tablename__ = "user_identities"

    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    username: str = Field(
        sa_column=Column(String, ForeignKey("users.username", ondelete="CASCADE"), nullable=False, index=True)
    )
    linked_by: str
    linked_at: datetime = _time(nullable=False)
    used_at: datetime | None = _time()


class Attempt(SQLModel, table=True):
    """Somebody who is at an identity provider to sign in, and comes back once."""

    __tablename__ = "oidc_attempts"

    state_hash: str = Field(primary_key=True)  # SHA-256 of what they come back with
    browser_hash: str  # of what their browser keeps
    place: str  # whom their address is counted with
    destination: str
    user_code: str  # of the program that they are to let in
    expires_at: datetime = _time(nullable=False, index=True)


class RequestKey(SQLModel, table=True):
    """What a program names a request by, so that it orders once however often it comes. The name itself is not kept."""

    __tablename__ = "request_keys"

    username: str = Field(primary_key=True)
    hash: str = Field(primary_key=True)  # SHA-256 of the name, hexadecimal
    fingerprint: str  # HMAC-SHA-256 of what was asked for, by that name
    command_id: str  # what was made of it
    at: datetime = _time(nullable=False, index=True)


class Schedule(SQLModel, table=True):
    """What is ordered again and again, and when next: with the rights that its owner has at that moment."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index("ix_schedules_owner", "owner", "id"),
        Index("ix_schedules_device_id", "device_id", "id"),
    )

    id: str = Field(primary_key=True)
    name: str
    owner: str  # a user; it stays, paused, when they go
    device_id: str | None = None  # either this
    group_name: str | None = None  # or that
    pace: Json | None = _json()  # of a group
    tool_name: str
    parameters: Json = _json(nullable=False)  # as they were said; no secret is among them
    valid_s: float
    when_online: bool = False
    condition: Json | None = _json()
    cron: str
    zone: str  # IANA's name of it
    missed: str  # skip | once | all
    created_at: datetime = _time(nullable=False)
    changed_at: datetime = _time(nullable=False)
    paused_at: datetime | None = _time()
    paused_by: str | None = None  # a user, or `system`
    paused_why: str | None = None
    next_run_at: datetime | None = _time(index=True)  # None: it is paused
    last_run_at: datetime | None = _time()
    last_outcome: str | None = None
    last_command_id: str | None = None


class ScheduleRun(SQLModel, table=True):
    """One time that a schedule came to: what was ordered then, or why nothing was."""

    __tablename__ = "schedule_runs"
    __table_args__ = (Index("ix_schedule_runs_schedule_id", "schedule_id", "id"),)

    id: str = Field(primary_key=True)
    schedule_id: str = Field(
        sa_column=Column(String, ForeignKey("schedules.id", ondelete="CASCADE"), nullable=False)
    )
    planned_at: datetime = _time(nullable=False)
    at: datetime = _time(nullable=False)
    outcome: str  # ordered | refused | skipped
    command_id: str | None = None
    reason: str | None = None


class MqttInput(SQLModel, table=True):
    """A Request or Decision that came by MQTT: each id of a user is handled once."""

    __tablename__ = "mqtt_inputs"

    username: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    kind: str  # request | decision
    received_at: datetime = _time(nullable=False, index=True)
    answered_at: datetime | None = _time()  # when its last response was made
    seq: int = 0  # of the next response


class MqttResponse(SQLModel, table=True):
    """One response to a user that the broker does not have yet, as it is published.

    Its number in the answer is used up once this is stored, so the words have to stay the same.
    """

    __tablename__ = "mqtt_responses"
    __table_args__ = (UniqueConstraint("username", "request_id", "seq"),)

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    username: str
    request_id: str
    seq: int
    payload: str = Field(sa_column=Column(Text, nullable=False))


METADATA = SQLModel.metadata

"""The controller itself: whether it is well, and what it would tidy."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from controller.api.shapes.shown import MOMENT, Json, example
from schemas.wire import Instant


class Health(BaseModel):
    """Whether the controller can do its work."""

    model_config = example({"status": "ready", "broker": "connected"})

    status: Literal["ready", "degraded"]
    broker: Literal["connected", "lost"]


class Alive(BaseModel):
    """That the program lives."""

    model_config = example({"status": "alive"})

    status: Literal["alive"]


class Checked(BaseModel):
    """One part that the controller works with. `why`: of one that is down."""

    state: Literal["ok", "down"]
    why: str | None = None


class Ready(BaseModel):
    """Whether the controller can do its work, and each part that it works with."""

    model_config = example(
        {
            "status": "degraded",
            "checks": {
                "broker": {"state": "ok"},
                "database": {"state": "ok"},
                "model": {"state": "down", "why": "It cannot be used; sentences are planned without it."},
            },
        }
    )

    status: Literal["ready", "degraded", "unavailable"]
    checks: dict[Literal["broker", "database", "model"], Checked]


class Release(BaseModel):
    """Which release answers, by which API, and which controller of an installation."""

    model_config = example({"version": "0.1.0", "api": "v1", "instance": "main"})

    version: str
    api: str
    instance: str


class Database(BaseModel):
    """Which database the controller works with, without the password."""

    model_config = example({"url": "sqlite:////var/lib/orion/controller/orion.db"})

    url: str


class Broker(BaseModel):
    """Where the broker is, and whether it is reached."""

    host: str
    port: int
    connected: bool
    administered: Annotated[bool, Field(description="Whether names at the broker are made here.")]


class Names(BaseModel):
    """How many names the broker has and carries well, and what undoes them. Empty: they are made elsewhere."""

    count: int | None = None
    bound: int | None = None
    faults: list[str] | None = None


class DatabaseState(BaseModel):
    """What is known of the database. `trouble`: why it cannot be read, or takes no changes."""

    kind: str | None = None
    revision: str | None = None
    integrity: str | None = None
    journal_mode: str | None = None
    version: str | None = None
    replica: bool | None = None
    trouble: str | None = None


class Ailments(BaseModel):
    """Devices to look at: silent, doubled, with a wrong clock (seconds ahead), shut out (until when)."""

    stale: list[str]
    conflicting: list[str]
    skewed: dict[str, float]
    shut_out: dict[str, Instant]


class Model(BaseModel):
    """The language model, and why it is not there."""

    host: str
    name: str
    trouble: str | None


class Doctor(BaseModel):
    """What the controller knows of its own state."""

    model_config = example(
        {
            "instance": "main",
            "at": MOMENT,
            "broker": {"host": "127.0.0.1", "port": 1883, "connected": True, "administered": True},
            "identities": {"count": 4, "bound": None, "faults": []},
            "database": {"kind": "sqlite", "revision": "0020", "integrity": "ok", "journal_mode": "wal"},
            "devices": {"stale": [], "conflicting": [], "skewed": {}, "shut_out": {}},
            "disk_free_bytes": 140_200_000_000,
            "model": {"host": "http://127.0.0.1:11434", "name": "qwen3:8b", "trouble": None},
        }
    )

    instance: str
    at: Instant
    broker: Broker
    identities: Names
    database: DatabaseState
    devices: Annotated[Ailments | None, Field(description="Null where the database cannot be read.")]
    disk_free_bytes: int
    model: Model


class Cleaned(BaseModel):
    """How many rows of what were deleted, or would be."""

    model_config = example({"dry_run": True, "rows": {"events": 12}})

    dry_run: bool
    rows: dict[str, int]


class AsyncApi(BaseModel):
    """An AsyncAPI 3.0 document; its own specification says what is in it."""

    model_config = example(
        {"asyncapi": "3.0.0", "info": {"title": "Orion over MQTT"}, "channels": {}, "operations": {}},
        whole=False,
    )

    asyncapi: str
    info: Json
    channels: Json
    operations: Json

"""What a backup says of itself: the first thing in its file, so that it is read without the rest."""

import importlib.metadata
import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.ids import Instance
from schemas.wire import Instant

FORMAT = 1
DISTRIBUTION = "orion-control-plane"
MANIFEST, DATABASE, HEADS = "manifest.json", "database", "heads.jsonl"  # in this order in the file
NAMED = re.compile(r"orion-(?P<instance>[A-Za-z0-9_-]{1,64})-\d{8}T\d{6}Z\.tar\.gz")

Size = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Content(BaseModel):
    """One part of a backup, as it is before it is compressed."""

    model_config = ConfigDict(frozen=True)

    size: Size
    sha256: Sha256


class Manifest(BaseModel):
    """Unknown fields are passed over; what a reader must not pass over raises `format`."""

    model_config = ConfigDict(frozen=True)

    format: Annotated[int, Field(ge=1)]
    orion: Annotated[str, Field(max_length=64)]  # the release that made it
    kind: Literal["sqlite", "postgresql"]
    server: Annotated[int, Field(ge=0)] | None = None  # PostgreSQL's release
    namespace: Annotated[str, Field(min_length=1, max_length=63)] | None = None  # its schema with the tables
    revision: Annotated[str, Field(pattern=r"^[0-9a-z_]{1,32}$")]  # of the tables
    made_at: Instant
    instance: Instance  # the controller that it was made for
    origin: Sha256 | None = None  # hash of the first row of the audit: whose database this is
    rows: dict[Annotated[str, Field(max_length=63)], Size]
    contents: dict[Annotated[str, Field(max_length=63)], Content]


def file_name(instance: str, made_at: datetime) -> str:
    """What a backup is called unless somebody names it."""
    return f"orion-{instance}-{made_at:%Y%m%dT%H%M%SZ}.tar.gz"


def release() -> str:
    """The release of this program."""
    return importlib.metadata.version(DISTRIBUTION)

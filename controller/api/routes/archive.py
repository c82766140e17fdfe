"""The audit's archive: what may go of it, and that somebody keeps it elsewhere."""

from typing import Annotated, Any

from fastapi import Body
from pydantic import BaseModel, Field

from controller.api import routing, shapes
from controller.api.deps import Administering, Controller
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.records import SIGNED
from controller.api.shapes.shown import HASH, MOMENT, asked
from controller.services.cuts import SignedCut
from controller.services.heads import SignedHead
from schemas.wire import Instant

router = routing.router("audit", below="/audit")

MOST_CHAINS = 100


class Offer(BaseModel):
    """Rows from before when are to be archived."""

    model_config = asked({"until": MOMENT})

    until: Annotated[Instant, Field(strict=False)]


class Archived(BaseModel):
    """What is in the archive: the heads that were offered, and the SHA-256 of the file."""

    model_config = asked({"heads": [SIGNED], "sha256": HASH})

    heads: Annotated[list[SignedHead], Field(min_length=1, max_length=MOST_CHAINS)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@router.post("/archive", status_code=201)
async def offered(
    controller: Controller, _actor: Administering, wanted: Offer
) -> Annotated[Json, Shown(shapes.Heads)]:
    """Sign the last row of each chain before which all are older; nothing goes by this."""
    return {"items": _shown(await controller.archivist.offer(wanted.until))}


@router.post("/cuts", status_code=201, responses=refusals(409))
async def cut(
    controller: Controller, actor: Administering, wanted: Annotated[Archived, Body()]
) -> Annotated[Json, Shown(shapes.Cuts)]:
    """Let the rows up to these heads go: they are in the file. They go a little at a time."""
    return {"items": _shown(await controller.archivist.cut(wanted.heads, wanted.sha256, actor=actor))}


def _shown(signed: list[SignedHead] | list[SignedCut]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in signed]

"""What the controller signs with: look, and begin anew."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StrictBool, model_validator

from controller.api import routing, shapes
from controller.api.deps import Administering, Controller
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.errors import Incomplete
from controller.services import audit
from controller.store.keyring import OVERLAP, SETTLE
from controller.store.store import Session, StoreFailed

router = routing.router("signing-keys", below="/signing-keys")

DAY = 86_400.0  # seconds


class Rotation(BaseModel):
    """`settle_s`: between the announcement and the first signature; `overlap_s`: how long the old key counts on.

    `at_once`: the present key is in wrong hands and counts no more.
    """

    model_config = asked({"overlap_s": 604800.0})

    settle_s: Annotated[float, Field(ge=0, le=30 * DAY, strict=True)] = SETTLE.total_seconds()
    overlap_s: Annotated[float, Field(ge=60, le=365 * DAY, strict=True)] = OVERLAP.total_seconds()
    at_once: StrictBool = False

    @model_validator(mode="after")
    def _at_once_waits_for_nothing(self) -> Self:
        if self.at_once and "settle_s" in self.model_fields_set:
            raise ValueError("settle_s has no meaning with at_once")
        return self


@router.get("")
async def listed(controller: Controller, _actor: Administering) -> Annotated[Json, Shown(shapes.SigningKeys)]:
    """The public keys that devices believe, and which of them signs now."""
    signs = controller.keyring.signer.key_id
    return {
        "items": [key.to_json() | {"signs": key.key_id == signs} for key in controller.keyring.keys],
    }


@router.post("/rotate", status_code=201, responses=refusals(409))
async def rotate(
    controller: Controller, actor: Administering, wanted: Rotation
) -> Annotated[Json, Shown(shapes.KeyMade)]:
    """Make the next key and announce it to every device."""
    made = await asyncio.to_thread(
        controller.keyring.rotate,
        settle=timedelta(seconds=wanted.settle_s),
        overlap=timedelta(seconds=wanted.overlap_s),
        at_once=wanted.at_once,
    )

    def note(session: Session) -> None:
        detail: dict[str, Any] = {"key_id": made.key_id, "at_once": wanted.at_once}
        audit.record(session, "keys.rotated", now=datetime.now(UTC), actor=actor, detail=detail)

    try:
        await controller.store.write(note)
    except StoreFailed as error:
        raise Incomplete(
            f"Made the key {made.key_id}, which counts and is told to devices; only the record of it is missing. "
            f"{error.said} Make room on the controller's disk; nothing has to be rotated again."
        ) from error
    finally:
        controller.devices_door.announce_keys()  # it counts: devices have to know
    return made.to_json()

"""Keeping what was measured, as it came; what comes late is worked into the coarser rows at once."""

from collections.abc import Sequence

from sqlmodel import Session

from controller.services import events
from controller.services.metrics import condensing
from controller.services.metrics.sample import Sample
from controller.store import upserts
from controller.store.tables import METADATA


def record(session: Session, samples: Sequence[Sample]) -> None:
    """Keep these, but for those of devices without a place here; once more changes nothing."""
    there = events.with_a_place(session, {each.device_id for each in samples})
    kept = [each for each in samples if each.device_id in there]
    if not kept:
        return
    progress = condensing.hold(session)
    rows = [each.row(0) for each in kept]
    upserts.insert_new(session.connection(), METADATA.tables["metrics"], rows)
    condensing.catch_up(session, kept, progress)

"""Examinations of devices (`orion conform`): an examiner is no attacker, and the record says so."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from controller.services import audit, devices, events
from controller.services.actors import Actor
from schemas.events import Event, Severity
from schemas.ids import new_id
from schemas.wire import JsonObject

_PREFIX = "examined-"


def note(
    session: Session,
    device_id: str,
    *,
    findings: JsonObject,
    caused: Sequence[str],
    actor: Actor,
    now: datetime,
) -> None:
    """Say that a device was examined, and that the events in `caused` come from that.

    Each of them is over from now on, or as it comes, if it has not come yet.

    Raises:
        UnknownDevice: it has no place here.
    """
    devices.get(session, device_id)
    detail: JsonObject = {**findings, "events": list(caused)}
    audit.record(session, "device.examined", now=now, actor=actor, device_id=device_id, detail=detail)
    for each in caused:
        event = Event(
            id=f"{_PREFIX}{new_id()}",
            type="error_occurred",
            severity=Severity.INFO,
            data={
                "code": "examined",
                "reason": "an examination (`orion conform`) was refused, as it must be",
            },
            at=now,
            resolves=each,
        )
        events.store(session, device_id, event, now=now)

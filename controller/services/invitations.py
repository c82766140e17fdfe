"""Join codes: given out for one device, good for one use, worth nothing afterwards.

The code is said once and not kept. What is kept proves that somebody has it, until it was
used, replaced, or its time is over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from controller.services import audit, devices, names
from controller.services.actors import Actor
from controller.store.tables import Invitation
from schemas import signing
from schemas.joining import JoinCode, is_proven
from schemas.keys import JoinRequest
from schemas.wire import JsonObject, MalformedMessage

MAX_FAULTS = 5  # requests without a proof until the code is void


class Verdict(StrEnum):
    """What comes of a request to join."""

    GRANTED = "granted"
    USED = "used"
    EXPIRED = "expired"  # or replaced by a newer one
    VOIDED = "voided"  # by requests that did not prove it
    TAKEN = "taken"  # the place has the name of a user
    CLOSED = (
        "closed"  # what would prove the answer is gone with the code, which was used or is over: not answered
    )
    UNPROVEN = "unproven"  # unknown, or not made by somebody who has the code: not answered


@dataclass(frozen=True, slots=True)
class Claim:
    """The verdict, whose place it is, and what the answer is proven with."""

    verdict: Verdict
    device_id: str = ""
    proof_key: str = ""


@dataclass(frozen=True, slots=True)
class Invited:
    """A code that was made."""

    code: JoinCode
    expires_at: datetime


def invite(
    session: Session, new: devices.NewDevice, *, ca: bytes, valid: timedelta, actor: Actor, now: datetime
) -> Invited:
    """Make a code for a device, which gets a place if it has none. Earlier codes for it are void.

    Raises:
        AlreadyExists: a user has the name.
        InvalidArguments: the name is kept for a part of Orion.
    """
    names.check_device(session, new.device_id)
    row = devices.find(session, new.device_id) or devices.add(session, new, actor=actor, now=now)
    row.adopt_first = row.adopt_first or new.adopt_first
    void(session, new.device_id, now=now)
    code = JoinCode.make(ca)
    session.add(
        Invitation(
            id=code.invite_id,
            device_id=new.device_id,
            invited_by=actor.user,
            proof_key=code.proof_key,
            created_at=now,
            expires_at=now + valid,
        )
    )
    detail: JsonObject = {"invite_id": code.invite_id, "valid_s": valid.total_seconds()}
    audit.record(session, "device.invited", now=now, actor=actor, device_id=new.device_id, detail=detail)
    return Invited(code, now + valid)


def claim(
    session: Session,
    invite_id: str,
    *,
    topic: str,
    payload: bytes,
    properties: tuple[tuple[str, str], ...],
    now: datetime,
) -> Claim:
    """Judge a request to join; the first device that proves the code is enrolled with its key.

    The same device may ask again, if the answer did not reach it.

    Raises:
        MalformedMessage: proven, and no request.
    """
    row = session.get(Invitation, invite_id)
    if row is None or row.proof_key is None:
        return Claim(Verdict.UNPROVEN if row is None else Verdict.CLOSED)
    if not is_proven(row.proof_key, topic, payload, properties):
        row.faults += 1
        if row.faults >= MAX_FAULTS:
            row.expires_at = min(row.expires_at, now)
        detail: JsonObject = {"invite_id": invite_id, "faults": row.faults}
        audit.record(session, "device.join_unproven", now=now, device_id=row.device_id, detail=detail)
        return Claim(Verdict.UNPROVEN)
    if row.faults >= MAX_FAULTS:
        return Claim(Verdict.VOIDED, row.device_id, row.proof_key)
    if row.expires_at <= now:
        return Claim(Verdict.EXPIRED, row.device_id, row.proof_key)
    request = JoinRequest.decode(payload)
    try:
        signing.public_key(request.public_key)
    except signing.BadKey as error:
        raise MalformedMessage("JoinRequest", f"public_key: {error}") from error
    if row.used_key not in (None, request.public_key):
        return Claim(Verdict.USED, row.device_id, row.proof_key)
    if names.is_users(session, row.device_id):
        return Claim(Verdict.TAKEN, row.device_id, row.proof_key)
    if row.used_key is None:
        row.used_at, row.used_key = now, request.public_key
        devices.enrol(session, row.device_id, request.public_key, actor=None, now=now)
    return Claim(Verdict.GRANTED, row.device_id, row.proof_key)


def close(session: Session, invite_id: str) -> None:
    """The code is worth nothing from now on."""
    row = session.get(Invitation, invite_id)
    if row is not None:
        row.proof_key = None


def over(session: Session, *, now: datetime) -> list[str]:
    """Codes whose time is over and that the broker still lets in."""
    late = select(Invitation.id).where(
        col(Invitation.proof_key).is_not(None), col(Invitation.expires_at) <= now
    )
    return list(session.exec(late))


def void(session: Session, device_id: str, *, now: datetime) -> None:
    """Let no code of a device count any more that was not used."""
    open_ones = select(Invitation).where(
        Invitation.device_id == device_id, col(Invitation.proof_key).is_not(None)
    )
    for row in session.exec(open_ones):
        row.expires_at = min(row.expires_at, now)  # the broker lets it in until `over` was looked at

"""Signed heads: what a controller vouches for, so that a whole chain cannot be computed anew.

A hash alone protects nothing from who can write the database; a signature over the last one
protects every row before it. Each controller signs the ends of all chains that it sees.
"""

from collections.abc import Iterable
from datetime import datetime

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func
from sqlmodel import Session, col, select

from controller.store.tables import AuditEntry
from schemas.ids import Instance
from schemas.keys import KEY_ID_PROPERTY, SIGNATURE_PROPERTY, Base64Url
from schemas.signing import BadKey, BadSignature, Signer, Verifier, key_id
from schemas.wire import Instant

PURPOSE = "orion audit head"  # what is signed with it; no topic of a message is like it


class Head(BaseModel):
    """The end of a chain at a moment, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: Instance
    position: int = Field(ge=1)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    at: Instant
    by: Instance


class Signature(BaseModel):
    """`public` is told so that nothing else is needed to check it; whom to believe, the reader knows."""

    key_id: Base64Url
    public: Base64Url
    signature: Base64Url


class SignedHead(Head, Signature):
    """A head that somebody vouches for."""


def ends(session: Session) -> list[AuditEntry]:
    """The last row of each chain."""
    last = (
        select(AuditEntry.instance, func.max(AuditEntry.position).label("position"))
        .where(col(AuditEntry.instance).is_not(None))
        .group_by(col(AuditEntry.instance))
        .subquery()
    )
    query = (
        select(AuditEntry)
        .join(
            last,
            (col(AuditEntry.instance) == last.c.instance) & (col(AuditEntry.position) == last.c.position),
        )
        .order_by(col(AuditEntry.instance))
    )
    return list(session.exec(query))


def sign(rows: Iterable[AuditEntry], signer: Signer, *, by: Instance, now: datetime) -> list[SignedHead]:
    """Vouch for these ends. A row that is none any more, by somebody's hand, is left out."""
    signed = []
    for row in rows:
        if row.instance is None or not row.position or row.hash is None:
            continue
        head = Head(instance=row.instance, position=row.position, hash=row.hash, at=now, by=by)
        signed.append(SignedHead(**head.model_dump(), **vouch(head, signer, PURPOSE).model_dump()))
    return signed


def is_genuine(head: SignedHead) -> bool:
    """Whether the key that it names has signed it. Whether that key is to be believed is another question."""
    return is_vouched(head, head, PURPOSE)


def vouch(head: Head, signer: Signer, purpose: str) -> Signature:
    """Sign what is said of a chain, for one purpose: it is worth nothing for another one."""
    properties = dict(signer.sign(purpose, _bytes(head)))
    return Signature(
        key_id=properties[KEY_ID_PROPERTY], public=signer.public, signature=properties[SIGNATURE_PROPERTY]
    )


def is_vouched(head: Head, by: Signature, purpose: str) -> bool:
    """Whether this signature, by the key that it names, is of this statement and purpose."""
    try:
        if key_id(by.public) != by.key_id:
            return False
        signature = ((KEY_ID_PROPERTY, by.key_id), (SIGNATURE_PROPERTY, by.signature))
        Verifier.of([by.public]).check(purpose, _bytes(head), signature)
    except (BadKey, BadSignature, ValueError):
        return False
    return True


def read(lines: Iterable[str]) -> tuple[list[SignedHead], int]:
    """The heads of a file, the oldest first, and how many of its lines are none."""
    found: list[SignedHead] = []
    unreadable = 0
    for line in filter(None, lines):
        try:
            found.append(SignedHead.model_validate_json(line))
        except ValidationError:
            unreadable += 1
    return found, unreadable


def fits(session: Session, head: SignedHead) -> bool:
    """Whether the row that was signed is still there."""
    query = select(AuditEntry.hash).where(
        AuditEntry.instance == head.instance, AuditEntry.position == head.position
    )
    return session.exec(query).one_or_none() == head.hash


def _bytes(head: Head) -> bytes:
    return rfc8785.dumps(head.model_dump(mode="json", exclude=set(Signature.model_fields)))

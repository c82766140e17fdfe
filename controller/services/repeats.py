"""Requests that may come twice: whoever lost the answer asks again by the same name, and nothing is ordered twice.

The name is kept with what it ordered, in one transaction, for a day. Of the name and of what was asked
for there is no more than a hash: there may be a secret in it, and only the name, which is not kept, could
tell whether a guess is right.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col

from controller.errors import InvalidArguments, StillAtWork
from controller.services import commands
from controller.services.actors import Actor
from controller.services.sight import Sight
from controller.store import upserts
from controller.store.tables import METADATA, RequestKey, ToolExecution

KEPT = timedelta(hours=24)

_KEYS = METADATA.tables["request_keys"]


@dataclass(frozen=True, slots=True)
class Name:
    """What a request is known by, and what it asked for, as they are kept."""

    hash: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, wanted: bytes) -> "Name":
        """The name that somebody gave to this request."""
        named = key.encode()
        return cls(hashlib.sha256(named).hexdigest(), hmac.new(named, wanted, hashlib.sha256).hexdigest())


def once(
    session: Session,
    name: Name | None,
    order: Callable[[Session], ToolExecution],
    *,
    actor: Actor,
    now: datetime,
) -> tuple[ToolExecution, bool]:
    """Order something, or find what was ordered under that name; True: it was there already.

    Raises:
        InvalidArguments: something else was asked for by that name.
        StillAtWork: it is being ordered by another controller at this moment.
        UnknownCommand: what was ordered is not to be seen by this actor.
    """
    if name is None:
        return order(session), False
    hash_ = _whose(name, actor)
    known = session.get(RequestKey, (actor.user, hash_))
    if known is not None and known.at > now - KEPT:
        if not hmac.compare_digest(known.fingerprint, name.fingerprint):
            raise InvalidArguments("This Idempotency-Key was used for another request: take a new one.")
        return commands.get(session, known.command_id, sight=Sight(session, actor)), True
    if known is not None:
        session.delete(known)
    row = order(session)
    session.flush()
    kept = {
        "username": actor.user,
        "hash": hash_,
        "fingerprint": name.fingerprint,
        "command_id": row.id,
        "at": now,
    }
    if not upserts.insert_new(session.connection(), _KEYS, [kept]):
        raise StillAtWork
    return row, False


def _whose(name: Name, actor: Actor) -> str:
    """The name as it is kept of who asks, and of the key they ask by: two programs of one user know nothing of each other."""
    if actor.key is None:
        return name.hash
    return hashlib.sha256(f"{actor.key.key_id} {name.hash}".encode()).hexdigest()


def over(now: datetime) -> ColumnElement[bool]:
    """The names that are kept no longer."""
    return col(RequestKey.at) < now - KEPT

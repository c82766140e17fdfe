"""Codes by which a program without a browser is let in: it shows one, a person who is signed in says yes (RFC 8628).

The program keeps a long code that nobody else learns; the short one is typed by a person, says yes for
that person alone, once, within ten minutes. Everything is in the store, so a restart loses none.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, delete, func, select

from controller.errors import Conflict, NotFound, TooManyWaiting
from controller.services import audit
from controller.services.accounts import signins
from controller.services.actors import Actor
from controller.store.tables import DeviceCode, User
from schemas.wire import JsonObject

LIVES = timedelta(minutes=10)
TOLD_FOR = timedelta(hours=1)  # after which one that is over is not even known any more
EVERY, SLOWER = 5, 5  # seconds between two looks of a program, and how many more for one that looks too often
EARLY = timedelta(seconds=1)  # that a look may come too soon: ways differ
MOST_OPEN, MOST_OF_ONE_PLACE = 1_000, 20
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowel makes a word, and none looks like another one (RFC 8628, 6.1)
_LENGTH, _GROUP = 8, 4


class Status(StrEnum):
    """How far a code is. One whose time is over opens nothing, whatever stands here."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    USED = "used"


class Verdict(StrEnum):
    """What a program is told that is not let in, in the words of OAuth 2.0."""

    PENDING = "authorization_pending"
    TOO_SOON = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"
    NONE = "invalid_grant"


class UnknownCode(NotFound):
    """Nobody waits with that code."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody waits with that code: it is another one, or it is over. Codes are good for 10 minutes."
        )


class CodeDecided(Conflict):
    """Somebody has said yes or no to it already."""

    def __init__(self) -> None:
        super().__init__("That code has had its answer already.")


@dataclass(frozen=True, slots=True)
class Begun:
    """The two codes of a program that waits. They are said here and never again."""

    device_code: str
    user_code: str


def begin(session: Session, *, client: str, address: str, place: str, now: datetime) -> Begun:
    """Let a program wait for a person. `place`: whom its address is counted with.

    Raises:
        TooManyWaiting: so many wait already, in all or from there.
    """
    forget_old(session, now=now)
    waiting = select(func.count()).where(
        col(DeviceCode.status) == Status.PENDING.value, col(DeviceCode.expires_at) > now
    )
    if session.exec(waiting).one() >= MOST_OPEN:
        raise TooManyWaiting
    if session.exec(waiting.where(col(DeviceCode.place) == place)).one() >= MOST_OF_ONE_PLACE:
        raise TooManyWaiting
    begun = Begun(secrets.token_urlsafe(32), _user_code(session))
    session.add(
        DeviceCode(
            hash=_hash(begun.device_code),
            user_code=begun.user_code,
            client=client,
            address=address,
            place=place,
            begun_at=now,
            expires_at=now + LIVES,
            interval_s=EVERY,
            status=Status.PENDING.value,
        )
    )
    return Begun(begun.device_code, spelled(begun.user_code))


def spelled(user_code: str) -> str:
    """A short code as people read it."""
    return "-".join(user_code[at : at + _GROUP] for at in range(0, len(user_code), _GROUP))


def typed(text: str) -> str:
    """A short code as it is kept, however somebody types it."""
    return "".join(letter for letter in text.upper() if letter in LETTERS)


def waiting(session: Session, user_code: str, *, now: datetime) -> DeviceCode | None:
    """The program that waits for an answer with this short code; None: none does."""
    query = select(DeviceCode).where(
        col(DeviceCode.user_code) == user_code,
        col(DeviceCode.status) == Status.PENDING.value,
        col(DeviceCode.expires_at) > now,
    )
    return session.exec(query).first()


def show(session: Session, user_code: str, username: str, proof: str, *, now: datetime) -> DeviceCode | None:
    """Note who has seen which program waits: `decide_shown` takes their answer for the `proof` that they were given.

    Whoever was shown it before answers no more. None: nobody waits with that code.
    """
    row = waiting(session, user_code, now=now)
    if row is not None:
        row.shown_to, row.shown_hash = username, _hash(proof)
    return row


def decide_shown(
    session: Session, proof: str, *, approve: bool, by: Actor, now: datetime
) -> DeviceCode | None:
    """Take an answer for a program that this person was shown; None: they were shown none that waits still."""
    query = select(DeviceCode).where(col(DeviceCode.shown_hash) == _hash(proof))
    row = session.exec(query).first()
    if row is None or row.shown_to != by.user:
        return None
    try:
        return decide(session, row.user_code, approve=approve, by=by, now=now)
    except (UnknownCode, CodeDecided):
        return None


def shown_to(session: Session, proof: str) -> str | None:
    """Who was given this proof; None: nobody."""
    return session.exec(select(DeviceCode.shown_to).where(col(DeviceCode.shown_hash) == _hash(proof))).first()


def decide(session: Session, user_code: str, *, approve: bool, by: Actor, now: datetime) -> DeviceCode:
    """Let the program in as whoever says yes, or do not. The first answer counts.

    Raises:
        UnknownCode: nobody waits with that code.
        CodeDecided: it has had its answer.
    """
    mine = (col(DeviceCode.user_code) == user_code, col(DeviceCode.expires_at) > now)
    row = session.exec(select(DeviceCode).where(*mine).with_for_update()).first()
    if row is None:
        raise UnknownCode
    if row.status != Status.PENDING:
        raise CodeDecided
    row.status = (Status.APPROVED if approve else Status.DENIED).value
    row.username, row.decided_at = by.user, now
    row.shown_to = row.shown_hash = None
    action = "user.device_approved" if approve else "user.device_denied"
    detail: JsonObject = {"client": row.client, "address": row.address}
    audit.record(session, action, now=now, actor=by, detail=detail)
    return row


def is_known(session: Session, device_code: str) -> bool:
    """Whether it is a long code of ours, whatever has become of it."""
    return session.get(DeviceCode, _hash(device_code)) is not None


def redeem(
    session: Session, device_code: str, *, client: str, address: str, now: datetime
) -> signins.Opened | Verdict:
    """Let a program in whose person has said yes, once; or what else it is to be told.

    A code that is shown again after it was used ends what it opened: one of the two stole it.
    """
    row = session.get(DeviceCode, _hash(device_code), with_for_update=True)
    if row is None or row.client != client:
        return Verdict.NONE
    if row.status == Status.USED:
        if row.sign_in_id is not None:
            signins.end(session, row.sign_in_id, why="reused", now=now)
        return Verdict.NONE
    if row.status == Status.DENIED:
        return Verdict.DENIED
    if now >= row.expires_at:
        return Verdict.EXPIRED
    if row.status == Status.PENDING or row.username is None:
        return _looked(row, now=now)
    user = session.get_one(User, row.username)
    if user.disabled_at is not None:
        return Verdict.DENIED
    row.status = Status.USED.value
    opened = signins.begin(session, user.username, client=client, address=address, how="device", now=now)
    row.sign_in_id = opened.sign_in_id
    return opened


def forget_old(session: Session, *, now: datetime) -> None:
    """Delete what has been over for a while."""
    session.execute(delete(DeviceCode).where(col(DeviceCode.expires_at) < now - TOLD_FOR))


def _looked(row: DeviceCode, *, now: datetime) -> Verdict:
    before, row.polled_at = row.polled_at, now
    if before is not None and now - before < timedelta(seconds=row.interval_s) - EARLY:
        row.interval_s += SLOWER
        return Verdict.TOO_SOON
    return Verdict.PENDING


def _user_code(session: Session) -> str:
    while True:
        found = "".join(secrets.choice(LETTERS) for _ in range(_LENGTH))
        if session.exec(select(DeviceCode.hash).where(col(DeviceCode.user_code) == found)).first() is None:
            return found


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

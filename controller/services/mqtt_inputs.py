"""What people say by MQTT, each id of a user once, and what is said to them.

A Request or Decision is written down before it is acknowledged. Each response gets its
number in the transaction that stores it, and stays until the broker has it: so whoever is
answered sees every number once, and one end, whatever dies in between.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from controller.errors import AlreadyDecided, OrionError, UnknownApproval, UnknownUser
from controller.services import approvals, audit, standing
from controller.services.actors import Actor
from controller.store import notices
from controller.store.tables import MqttInput, MqttResponse
from schemas.assistant import ENDING_TYPES, REQUEST_VALID, Decision, Request, Response
from schemas.commands import Via
from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import MAX_PAYLOAD

REQUEST, DECISION = "request", "decision"
MAX_AHEAD = timedelta(seconds=60)  # that a sender's clock may be ahead of ours
MAX_VALID = timedelta(days=1)  # from its `at`, whatever a request says
KEPT = MAX_VALID + MAX_AHEAD + timedelta(days=1)  # by then a repeated request is too old to be handled
MAX_AT_ONCE = 256  # responses that are looked up, and inputs that are forgotten, at one go

TOO_FAST = ErrorBody(code=ErrorCode.RATE_LIMITED, message="Too many messages at once; wait a moment.")
INTERRUPTED = ErrorBody(
    code=ErrorCode.INTERRUPTED,
    message="The controller stopped while it worked on this. What it had ordered goes on; nothing is asked again.",
)


def take_request(
    session: Session, username: str, request: Request, *, now: datetime, too_fast: bool = False
) -> None:
    """Write a request down and let it wait for its turn, or answer why there will be none.

    Raises:
        UnknownUser: nobody of that name may ask.
    """
    actor = _speaker(session, username)
    if not _take(session, username, request.id, REQUEST, now):
        return
    refusal = TOO_FAST if too_fast else untimely(request, now)
    if refusal is not None:
        detail = {"request_id": request.id, "code": refusal.code}
        audit.record(session, "request.refused", now=now, actor=actor, detail=dict(detail))
        refuse(session, username, request.id, refusal, now=now)
        return
    notices.announce(session, notices.RequestTaken(username, request))


def untimely(request: Request, now: datetime) -> ErrorBody | None:
    """Why a request cannot be meant for now, by our clock; None if it can."""
    if request.at - now > MAX_AHEAD:
        seconds = (request.at - now).total_seconds()
        message = f"The request is dated {seconds:.0f} s in the future: look at the clock of its sender."
    elif now >= expiry(request):
        late = (now - expiry(request)).total_seconds()
        message = f"The request expired {late:.0f} s ago."
    else:
        return None
    return ErrorBody(code=ErrorCode.EXPIRED, message=message)


def expiry(request: Request) -> datetime:
    """Until when a request may begin."""
    if request.expires_at is None:
        return request.at + timedelta(seconds=REQUEST_VALID)
    return min(request.expires_at, request.at + MAX_VALID)


def decide(
    session: Session, username: str, decision: Decision, *, now: datetime, too_fast: bool = False
) -> None:
    """Take a person's word on a card, once, and answer what became of it.

    Raises:
        UnknownUser: nobody of that name may decide.
    """
    actor = _speaker(session, username)
    if not _take(session, username, decision.id, DECISION, now):
        return
    error: ErrorBody | None = TOO_FAST
    status = "refused"
    if not too_fast:
        status, error = _decided(session, decision, actor=actor, now=now)
    if error is not None:
        detail = {"decision_id": decision.id, "code": error.code}
        audit.record(
            session,
            "approval.refused",
            now=now,
            actor=actor,
            approval_id=decision.approval_id,
            detail=dict(detail),
        )
    result = Response(
        request_id=decision.id,
        seq=0,
        type="decision_result",
        at=now,
        approval_id=decision.approval_id,
        status=status,
        error=error,
    )
    say(session, username, result, now=now)


def _decided(
    session: Session, decision: Decision, *, actor: Actor, now: datetime
) -> tuple[str, ErrorBody | None]:
    """Where the card stands, as far as this person may know, and why their word did not count."""
    try:
        card = approvals.decide(
            session,
            decision.approval_id,
            approve=decision.decision == "approve",
            actor=actor,
            now=now,
            shown_hash=decision.approval_hash,
            comment=decision.comment,
        )
    except AlreadyDecided as error:
        return error.status, error.body()
    except UnknownApproval as error:
        return "unknown", error.body()
    except OrionError as error:
        return "refused", error.body()
    return card.status, None


def _speaker(session: Session, username: str) -> Actor:
    actor = standing.by_name(session, username, Via.MQTT)
    if actor is None:
        raise UnknownUser(username)
    return actor


def _take(session: Session, username: str, input_id: str, kind: str, now: datetime) -> bool:
    """Write down that this id was handled; False if it was before."""
    if session.get(MqttInput, (username, input_id)) is not None:
        return False
    session.add(MqttInput(username=username, id=input_id, kind=kind, received_at=now))
    session.flush()
    return True


def say(session: Session, username: str, response: Response, *, now: datetime) -> None:
    """Store the next response to what a user said; after the end nothing more is said."""
    row = session.get(MqttInput, (username, response.request_id))
    if row is None or row.answered_at is not None:
        return
    payload = _payload(response.model_copy(update={"seq": row.seq}))
    session.add(MqttResponse(username=username, request_id=row.id, seq=row.seq, payload=payload.decode()))
    row.seq += 1
    if response.type in ENDING_TYPES:
        row.answered_at = now
    notices.announce(session, notices.ResponseMade())


def _payload(response: Response) -> bytes:
    """As it is published; what a message cannot hold is left out, and said to be."""
    payload = response.encode()
    if len(payload) <= MAX_PAYLOAD:
        return payload
    message = (
        f"This is {len(payload)} bytes long; a message holds {MAX_PAYLOAD}. The controller has it whole."
    )
    error = response.error or ErrorBody(code=ErrorCode.PAYLOAD_TOO_LARGE, message=message)
    shortened: dict[str, object] = {"result": None, "arguments": None, "error": error}
    if response.text is not None:
        shortened["text"] = message
    return response.model_copy(update=shortened).encode()


def refuse(session: Session, username: str, request_id: str, error: ErrorBody, *, now: datetime) -> None:
    """End a request with an error."""
    ending = Response(request_id=request_id, seq=0, type="error", at=now, text=error.message, error=error)
    say(session, username, ending, now=now)


def interrupt(session: Session, *, now: datetime) -> int:
    """End what an earlier life of the controller left without an end; how many there were."""
    query = select(MqttInput).where(col(MqttInput.answered_at).is_(None))
    rows = list(session.exec(query.order_by(col(MqttInput.received_at))))
    for row in rows:
        refuse(session, row.username, row.id, INTERRUPTED, now=now)
    return len(rows)


def unsaid(session: Session) -> list[MqttResponse]:
    """The first of those responses that the broker does not have, in the order they were made."""
    query = select(MqttResponse).order_by(col(MqttResponse.number)).limit(MAX_AT_ONCE)
    return list(session.exec(query))


def said(session: Session, numbers: Iterable[int]) -> None:
    """Forget responses that the broker has."""
    session.exec(delete(MqttResponse).where(col(MqttResponse.number).in_(list(numbers))))


def old(session: Session, *, now: datetime) -> Sequence[MqttInput]:
    """Some of those that are too old to be heard again; asked beside the writer."""
    query = select(MqttInput).where(
        col(MqttInput.received_at) < now - KEPT, col(MqttInput.answered_at).is_not(None)
    )
    return session.exec(query.limit(MAX_AT_ONCE)).all()


def forget(session: Session, *, now: datetime) -> None:
    """Let go of what is too old to be heard again."""
    for row in old(session, now=now):
        session.delete(row)

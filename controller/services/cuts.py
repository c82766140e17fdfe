"""Signed cuts: that the oldest rows of a chain were archived, and that it is proved from there on.

A chain without its begin would look as if somebody had taken it away. So whoever archives has the
last row of the archive signed, and the proof begins behind it. Only what is signed for this purpose
counts: an ordinary head is no cut.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import Field, ValidationError
from sqlalchemy import and_, func, select
from sqlmodel import Session, col

from controller.errors import Conflict
from controller.services import heads
from controller.services.heads import Head, Signature, SignedHead
from controller.services.retention import Rule
from controller.store import upserts
from controller.store.tables import METADATA, AuditEntry
from schemas.ids import Instance
from schemas.signing import Signer

PURPOSE = "orion audit cut"

_CUTS = METADATA.tables["audit_cuts"]
_LOG = METADATA.tables["audit_log"]


class NothingToCut(Conflict):
    """The rows that were archived are not those of the database, or not all that are before them."""

    def __init__(self, instance: str, position: int) -> None:
        super().__init__(
            f"Row {position} of the audit of {instance} is not the one that was archived, is the last one, or is "
            "archived already: nothing was taken away. Archive anew."
        )


class Cut(Head):
    """That the rows of a chain up to this one may be gone. `at`: when they were archived."""

    begins: int = Field(ge=1)  # number of the very first row of the chain
    archive: str = Field(pattern=r"^[0-9a-f]{64}$")  # SHA-256 of the file that holds them


class SignedCut(Cut, Signature):
    """A cut that somebody vouches for."""


def is_genuine(cut: SignedCut) -> bool:
    """Whether the key that it names has signed it as a cut. Whom to believe is another question."""
    return heads.is_vouched(cut, cut, PURPOSE)


def of(session: Session) -> dict[str, SignedCut]:
    """The last cut of each chain. What is none is not told: the chain then lacks its begin."""
    found: dict[str, SignedCut] = {}
    for instance, statement in session.connection().execute(select(_CUTS.c.instance, _CUTS.c.statement)):
        try:
            cut = SignedCut.model_validate(statement, strict=False)
        except ValidationError:
            continue
        if cut.instance == instance:
            found[instance] = cut
    return found


def covers(cuts: Mapping[str, SignedCut], head: SignedHead, *, believed: frozenset[str]) -> bool:
    """Whether the row that was signed is one of those that were archived."""
    cut = cuts.get(head.instance)
    return cut is not None and head.position <= cut.position and cut.key_id in believed and is_genuine(cut)


def before(session: Session, until: datetime) -> list[AuditEntry]:
    """The last row of each chain before which all are older than `until`; never the last one of all."""
    cut = of(session)
    found = []
    for end in heads.ends(session):
        if end.instance is None or end.position is None:
            continue
        young = select(func.min(AuditEntry.position)).where(
            col(AuditEntry.instance) == end.instance, col(AuditEntry.at) >= until
        )
        first_young = session.connection().execute(young).scalar_one()
        last = min(end.position, first_young or end.position) - 1
        known = cut.get(end.instance)
        if last <= (known.position if known else 0):
            continue
        wanted = select(AuditEntry).where(
            col(AuditEntry.instance) == end.instance, col(AuditEntry.position) == last
        )
        if (row := session.scalars(wanted).one_or_none()) is not None:
            found.append(row)
    return found


def cut(
    session: Session, archived: Head, archive: str, *, signer: Signer, by: Instance, now: datetime
) -> SignedCut:
    """Sign that the rows up to this one are in an archive and may go; `archive` is its SHA-256.

    Raises:
        NothingToCut: the row is not there as it was archived, is the chain's last, or archived already.
    """
    known = of(session).get(archived.instance)
    ours = _LOG.c.instance == archived.instance
    place = select(_LOG.c.hash, select(func.max(_LOG.c.position)).where(ours).scalar_subquery())
    row = session.connection().execute(place.where(ours, _LOG.c.position == archived.position)).one_or_none()
    if row is None or row[0] != archived.hash or row[1] == archived.position:
        raise NothingToCut(archived.instance, archived.position)
    if known is not None and known.position >= archived.position:
        raise NothingToCut(archived.instance, archived.position)
    begins = known.begins if known else _first_number(session, archived.instance)
    said = Cut(
        **archived.model_dump(include={"instance", "position", "hash"}),
        at=now,
        by=by,
        begins=begins,
        archive=archive,
    )
    signed = _sign(said, signer)
    keep(session, [signed])
    return signed


def renewed(session: Session, *, signer: Signer, believed: frozenset[str]) -> list[SignedCut]:
    """The cuts that another key signed which is believed, signed by this one."""
    stale = [found for found in of(session).values() if found.key_id != signer.key_id]
    good = [found for found in stale if found.key_id in believed and is_genuine(found)]
    return [_sign(Cut(**found.model_dump(include=set(Cut.model_fields))), signer) for found in good]


def keep(session: Session, signed: Iterable[SignedCut]) -> None:
    """Store these, in the place of what was said of their chains before."""
    for found in signed:
        row = {"instance": found.instance, "statement": found.model_dump(mode="json")}
        upserts.put(session.connection(), _CUTS, row, key=["instance"])


def rules(session: Session, *, believed: frozenset[str]) -> list[Rule]:
    """What may go of each chain that was cut by one of these keys, for whoever cleans."""
    return [_rule(found) for found in of(session).values() if found.key_id in believed and is_genuine(found)]


def _sign(said: Cut, signer: Signer) -> SignedCut:
    return SignedCut(**said.model_dump(), **heads.vouch(said, signer, PURPOSE).model_dump())


def _rule(found: SignedCut) -> Rule:
    archived = and_(col(AuditEntry.instance) == found.instance, col(AuditEntry.position) <= found.position)
    return Rule("audit", _LOG, lambda _now: archived, col(AuditEntry.position))


def _first_number(session: Session, instance: str) -> int:
    first = select(func.min(_LOG.c.number)).where(_LOG.c.instance == instance)
    return int(session.connection().execute(first).scalar_one())

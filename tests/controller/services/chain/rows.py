"""Rows of the audit as tests make, read, sign and tamper with them."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlmodel import Session

from controller.errors import Refused
from controller.services import audit, chain, heads, proof
from controller.services.heads import SignedHead
from controller.services.proof import Kind
from controller.store.tables import METADATA
from schemas.signing import Signer
from tests.factories import ADMIN, NOON

LOG = METADATA.tables["audit_log"]
ROWS = 12
SIGNER = Signer.generate()
BELIEVED = frozenset({SIGNER.key_id})
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**53, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def note(session: Session, action: str = "noted", **fields: Any) -> None:
    audit.record(session, action, now=fields.pop("now", NOON), actor=ADMIN, **fields)


def noting(action: str) -> Callable[[Session], None]:
    return partial(note, action=action)


def failing(session: Session) -> None:
    note(session, "undone")
    note(session, "undone too")
    raise Refused("no")


def table(session: Session) -> list[dict[str, Any]]:
    run = session.connection().execute
    return [dict(row) for row in run(select(LOG).order_by(LOG.c.instance, LOG.c.position)).mappings()]


def chains_in(session: Session, *signed: SignedHead) -> dict[str, proof.Chain]:
    found = proof.walk(proof.Stored(lambda: nullcontext(session)), signed, believed=BELIEVED)
    return {each.instance: each for each in found}


def the_fault(session: Session, *signed: SignedHead) -> tuple[Kind, int] | None:
    fault = chains_in(session, *signed)["main"].fault
    return None if fault is None else (fault.kind, fault.position)


def sign(session: Session) -> SignedHead:
    return heads.sign(heads.ends(session), SIGNER, by="main", now=NOON)[0]


def change(session: Session, position: int, /, **values: Any) -> None:
    of_main = (LOG.c.instance == "main") & (LOG.c.position == position)
    session.connection().execute(update(LOG).where(of_main).values(**values))


def forged(session: Session, position: int, /, **values: Any) -> None:
    """Change a row, and its hash with it."""
    row = next(row for row in table(session) if row["position"] == position) | values
    change(session, position, **values, hash=chain.digest(row))


def remove(session: Session, *positions: int) -> None:
    session.connection().execute(delete(LOG).where(LOG.c.position.in_(positions)))


def write_anew(session: Session, first: int) -> None:
    """Compute every hash from a row on as whoever can write the database could."""
    rows = table(session)
    before = rows[first - 2]["hash"] if first > 1 else chain.GENESIS
    for row in rows[first - 1 :]:
        forged(session, row["position"], previous=before)
        before = next(each["hash"] for each in table(session) if each["position"] == row["position"])

"""Signatures: what an enrolled device signs, and what it refuses."""

from typing import Any

from orion.conform import orders
from orion.conform.examination import RAN, Examination
from orion.conform.findings import Verdict, broken, judged, untried
from schemas.keys import KEY_ID_PROPERTY, SIGNATURE_PROPERTY
from schemas.signing import BadSignature, Signer
from schemas.topics import Kind, with_article

UNSIGNED = "the device does not sign: it was added by hand"
UNVERIFIED = "signatures are there, and its public key is not known here: the controller that it joined tells it while it runs"
SIGNED = (Kind.PROFILE, Kind.EVENT, Kind.REPLY)


async def signs(examination: Examination) -> Verdict:
    """Profile, events and replies carry its signature."""
    if not examination.enrolled and examination.verifier is None:
        return untried(UNSIGNED)
    faults: dict[str, None] = {}
    keys: set[str] = set()
    for kind in SIGNED:
        for one in examination.line.all(kind):
            given = dict(one.message.user_properties)
            if SIGNATURE_PROPERTY not in given or KEY_ID_PROPERTY not in given:
                faults[f"{with_article(kind)} is not signed"] = None
                continue
            keys.add(given[KEY_ID_PROPERTY])
            try:
                if examination.verifier is not None:
                    examination.verifier.check(one.topic, one.message.payload, one.message.user_properties)
            except BadSignature as error:
                faults[f"{with_article(kind)}: {error}"] = None
    if len(keys) > 1:
        faults["it signs with several keys"] = None
    if examination.verifier is None and not faults:
        return untried(UNVERIFIED)
    return judged(list(faults))


async def unsigned(examination: Examination) -> Verdict:
    """A command without a signature does not run."""
    return await _refused(examination, {"signed": False})


async def forged(examination: Examination) -> Verdict:
    """A command that somebody else signed does not run."""
    return await _refused(examination, {"signer": Signer.generate()})


async def _refused(examination: Examination, how: dict[str, Any]) -> Verdict:
    if not examination.enrolled:
        return untried(UNSIGNED)
    command = examination.command()
    mark = await examination.give(command, **how)
    if examination.forged_after is None:
        examination.forged_after = mark
    if not await examination.fence():
        return broken(f"the next command: {orders.silent(examination)}")
    replies = examination.replies(command, after=mark)
    ran = [str(one.said.get("status")) for one in replies if one.said.get("status") in RAN]
    return broken(f"it ran ({ran[-1]})") if ran else judged([], "refused" if replies else "dropped")

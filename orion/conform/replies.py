"""Everything the device answered in this examination, looked at once more; and what became of it later."""

import asyncio
import re
from collections.abc import Iterator

from orion.conform import birth
from orion.conform.examination import FINAL, Examination
from orion.conform.findings import Verdict, broken, judged, passed, untried
from orion.conform.line import INSTANCE, Heard
from schemas.commands import Reply
from schemas.errors import ErrorCode
from schemas.topics import Kind
from schemas.wire import MalformedMessage

AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SPEAKS = (Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT, Kind.EVENT, Kind.REPLY)
CODES = frozenset(ErrorCode)
ARRIVAL_ONLY = frozenset({ErrorCode.BAD_SIGNATURE, ErrorCode.REPLAYED})  # they settle nothing
SETTLES = 1.0  # seconds in which a reply may still be on its way
NO_REPLY = "it answered nothing"


async def topic(examination: Examination) -> Verdict:
    """Each on the `reply_to` of its command."""
    own = examination.line.topics.reply(examination.device_id, INSTANCE)
    found = [
        one
        for command in examination.sent.values()
        if command["reply_to"] == own
        for one in examination.replies(command)
    ]
    if not found:
        return untried(NO_REPLY)
    return judged(sorted({f"it answered on {one.topic}" for one in found if one.topic != own}))


async def fields(examination: Examination) -> Verdict:
    """All fields, of their types; codes from the list; sentences for people."""
    found = list(_all(examination))
    if not found:
        return untried(NO_REPLY)
    faults: dict[str, None] = {}
    for one in found:
        try:
            reply = Reply.decode(one.message.payload)
        except MalformedMessage as error:
            faults[str(error)] = None
            continue
        if reply.error is not None and reply.error.code not in CODES:
            faults[f"the code {reply.error.code!r} is none of the list"] = None
        if reply.error is not None and "Traceback" in reply.error.message:
            faults["an error's message holds a traceback"] = None
    return judged(list(faults))


async def boot_id(examination: Examination) -> Verdict:
    """The `boot_id` of the life that answers."""
    lives = examination.lives()
    found = {str(one.said.get("boot_id")) for one in _all(examination)}
    if not found:
        return untried(NO_REPLY)
    return judged([f"{other!r} is not the one of its presence" for other in sorted(found - lives)])


async def flags(examination: Examination) -> Verdict:
    """QoS 1, not retained."""
    found = list(_all(examination))
    if not found:
        return untried(NO_REPLY)
    return judged(sorted({fault for one in found for fault in birth.flags(one, retain=False)}))


async def one_final(examination: Examination) -> Verdict:
    """A command ends in one way."""
    ends = {
        name: {
            str(one.said.get("status"))
            for one in examination.replies(command)
            if one.said.get("status") in FINAL and _code(one) not in ARRIVAL_ONLY
        }
        for name, command in examination.sent.items()
    }
    if not any(ends.values()):
        return untried(NO_REPLY)
    return judged([" and ".join(sorted(found)) for found in ends.values() if len(found) > 1])


async def instants(examination: Examination) -> Verdict:
    """Each `at` as the contract writes it."""
    wrong = {
        f"{kind}: {one.said.get('at')!r}"
        for kind in SPEAKS
        for one in examination.line.all(kind)
        if not AT.fullmatch(str(one.said.get("at")))
    }
    return judged(sorted(wrong))


async def resent(examination: Examination) -> Verdict:
    """An answer that is not acknowledged comes again, without being asked for."""
    if examination.withheld is None:
        return untried(examination.no_call)
    command = examination.sent[examination.withheld]
    first = examination.replies(command)
    if not first:
        return untried(NO_REPLY)

    def again() -> Heard | None:
        later = [one for one in examination.replies(command) if one.said.get("status") in FINAL]
        return later[1] if len(later) > 1 else None

    if examination.acked_by_others(command["id"]):
        return untried("the controller that runs here refused the reply at once; stop it for this check")
    found = await examination.line.until(again, within_s=examination.watch_s)
    if found is not None:
        return passed(f"after {found.at - first[0].at:.1f} s")
    waited = asyncio.get_running_loop().time() - first[0].at
    return untried(
        f"not seen within {waited:.0f} s, and only a reconnect must bring it; --disconnect tries one"
    )


async def acked(examination: Examination) -> Verdict:
    """What was acknowledged is not said again."""
    if examination.dropped is None:
        return untried(examination.no_call)
    command, acked_at = examination.dropped
    late = [one for one in examination.replies(command) if one.at > acked_at + SETTLES]
    waited = asyncio.get_running_loop().time() - acked_at
    if late:
        return broken(f"it came again {late[0].at - acked_at:.1f} s after its Ack")
    return passed(f"{waited:.0f} s of silence")


def _all(examination: Examination) -> Iterator[Heard]:
    for command in examination.sent.values():
        yield from examination.replies(command)


def _code(heard: Heard) -> str:
    error = heard.said.get("error")
    return str(error.get("code")) if isinstance(error, dict) else ""

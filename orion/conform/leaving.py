"""The end of a connection and the next one. Somebody must cut the device off: nothing here can."""

from orion.conform import birth
from orion.conform.examination import FINAL, Examination
from orion.conform.findings import Verdict, broken, judged, untried
from orion.conform.line import Heard
from schemas.devices import Presence
from schemas.topics import Kind, with_article
from schemas.wire import MalformedMessage

UNASKED = "--disconnect tries it, with somebody there who cuts the device off"
STAYED = "it was not cut off, or did not come back"


async def will(examination: Examination) -> Verdict:
    """The broker says `offline` for a device that was cut off."""
    if not examination.disconnects:
        return untried(UNASKED)
    lives, mark = examination.lives(), examination.line.mark()
    examination.say(
        f"Cut {examination.device_id} off now: end its program by force, or take its power away. "
        f"Waiting for up to {examination.patience_s:.0f} s …"
    )
    heard = await examination.line.until(
        lambda: _state(examination, "offline", mark), within_s=examination.patience_s
    )
    if heard is None:
        return broken(f"nobody said offline for it within {examination.patience_s:.0f} s")
    examination.left_at = examination.line.mark()
    try:
        said = Presence.decode(heard.message.payload)
    except MalformedMessage as error:
        return broken(str(error))
    if said.reason == "stopped":
        return untried("it said goodbye: end it by force")
    faults = [] if said.boot_id in lives else [f"boot_id {said.boot_id!r} is not the one of its presence"]
    if said.reason != "connection_lost":
        faults.append(f"the reason is {said.reason!r}")
    return judged(faults + birth.flags(heard))


async def returns(examination: Examination) -> Verdict:
    """Profile before presence, of one life, and all the rest after both."""
    mark = examination.left_at
    if mark is None:
        return untried(STAYED if examination.disconnects else UNASKED)
    examination.say(
        f"Start {examination.device_id} again now. Waiting for up to {examination.patience_s:.0f} s …"
    )
    online = await examination.line.until(
        lambda: _state(examination, "online", mark), within_s=examination.patience_s
    )
    if online is None:
        return untried(STAYED)
    examination.back = online
    since = examination.line.heard[mark : examination.line.heard.index(online)]
    kinds = [one.address.kind for one in since]
    if Kind.PROFILE not in kinds:
        return broken("presence came before the profile")
    profile = next(one for one in reversed(since) if one.address.kind is Kind.PROFILE)
    faults = [
        f"{with_article(kind)} came before presence"
        for kind in (Kind.HEARTBEAT, Kind.REPLY, Kind.EVENT)
        if kind in kinds
    ]
    if profile.said.get("boot_id") != online.said.get("boot_id"):
        faults.append("profile and presence are of different lives")
    return judged(faults)


async def spool(examination: Examination) -> Verdict:
    """What was not acknowledged comes again, before the heartbeats; what was, does not."""
    online = examination.back
    if online is None or examination.withheld is None:
        return untried(UNASKED if not examination.disconnects else STAYED)
    command, after = examination.sent[examination.withheld], examination.line.heard.index(online)
    if examination.acked_by_others(command["id"]):
        return untried("the controller that runs here refused the reply at once; stop it for this check")

    def again() -> Heard | None:
        said = examination.replies(command, after=after)
        return next((one for one in said if one.said.get("status") in FINAL), None)

    found = await examination.line.until(again, within_s=2 * examination.within_s)
    if found is None:
        return broken("the reply that nobody acknowledged did not come again")
    first_beat = next(iter(examination.line.all(Kind.HEARTBEAT, after=after)), None)
    faults = []
    if first_beat is not None and first_beat.at < found.at:
        faults.append("a heartbeat came before it")
    if examination.dropped is not None and examination.replies(examination.dropped[0], after=after):
        faults.append("a reply that was acknowledged came again as well")
    return judged(faults)


def _state(examination: Examination, state: str, after: int) -> Heard | None:
    said = examination.line.all(Kind.PRESENCE, after=after)
    return next((one for one in said if one.said.get("state") == state), None)

"""Signs of life. They are watched for as long as the other checks take, and until there were two."""

import asyncio
from itertools import pairwise

from orion.conform import birth
from orion.conform.examination import Examination
from orion.conform.findings import Verdict, broken, judged, passed, untried
from orion.conform.line import Heard
from schemas.devices import Heartbeat
from schemas.topics import Kind
from schemas.wire import MalformedMessage

SLACK = 1.5  # of a period: one that comes a little late is no fault
NONE = "no heartbeat came"


async def period(examination: Examination) -> Verdict:
    """At least one each period, counted on our own clock."""
    if examination.gone:
        return untried(examination.no_call)
    patience = examination.heartbeat_s * SLACK
    loop = asyncio.get_running_loop()

    def two() -> list[Heard] | None:
        live = _live(examination)
        return live if len(live) > 1 else None

    left = examination.began_at + 2 * patience - loop.time()
    live = await examination.line.until(two, within_s=max(0.0, left)) or _live(examination)
    moments = [examination.began_at, *(one.at for one in live)]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    if len(live) < 2:
        return broken(f"{len(live)} came within {loop.time() - examination.began_at:.0f} s")
    longest = max(gaps)
    return (
        passed(f"every {gaps[-1]:.1f} s") if longest <= patience else broken(f"{longest:.1f} s without one")
    )


async def fields(examination: Examination) -> Verdict:
    """All its fields, of this life."""
    beats = examination.line.all(Kind.HEARTBEAT)
    if not beats:
        return untried(NONE)
    lives = examination.lives()
    faults: list[str] = []
    for one in beats:
        try:
            said = Heartbeat.decode(one.message.payload)
        except MalformedMessage as error:
            faults.append(str(error))
            continue
        if said.boot_id not in lives:
            faults.append(f"boot_id {said.boot_id!r} is not the one of its presence")
    return judged(faults)


async def flags(examination: Examination) -> Verdict:
    """QoS 0 and retained."""
    beats = examination.line.all(Kind.HEARTBEAT)
    if not beats:
        return untried(NONE)
    return judged([fault for one in beats for fault in birth.flags(one, qos=0)])


async def seq(examination: Examination) -> Verdict:
    """It grows within one life."""
    said = [one.said for one in examination.line.all(Kind.HEARTBEAT)]
    pairs = [
        (first.get("seq"), second.get("seq"))
        for first, second in pairwise(said)
        if first.get("boot_id") == second.get("boot_id")
    ]
    if not pairs:
        return untried("fewer than two heartbeats of one life came")
    known = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
    return judged([f"{b} came after {a}" for a, b in known if b <= a])


def _live(examination: Examination) -> list[Heard]:
    """Those that came after what the broker had kept."""
    return examination.line.all(Kind.HEARTBEAT, after=examination.stored)

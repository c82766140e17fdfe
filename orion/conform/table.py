"""Every check in the order in which it is made, with its rule; and the examination that makes them."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from orion.conform import birth, cancels, heartbeats, leaving, orders, replies, robustness, signing
from orion.conform.examination import Examination
from orion.conform.findings import Check, Finding, State, untried

CHECKS = (
    Check("birth.presence", "Presence is retained, QoS 1, with state, at and boot_id.", birth.presence),
    Check("birth.profile", "The profile is retained, QoS 1, with all it must have and within its limits.", birth.profile),
    Check("birth.device_id", "The profile's device_id is the topic's.", birth.device_id),
    Check("birth.boot_id", "Presence and profile name the same boot_id.", birth.boot_id),
    Check("birth.tools", "Each tool's parameters are a JSON Schema that arguments can be judged by.", birth.tools),
    Check("commands.answered", "A command that fits is carried out and gets a final reply.", orders.answered),
    Check("commands.accepted", "`accepted` is said first, unless the final reply follows within 1 s.", orders.accepted),
    Check("commands.repeated", "Each arrival of an id is answered.", orders.repeated),
    Check("commands.once", "An id is executed at most once: later arrivals get the first one's answer.", orders.once),
    Check("commands.first_counts", "An id that comes with another content is answered like the first.", orders.first_counts),
    Check("commands.unknown_fields", "Unknown fields are ignored.", orders.unknown_fields),
    Check("commands.unknown_tool", "A tool that is not listed is `rejected`, `unknown_tool`.", orders.unknown_tool),
    Check("commands.invalid_arguments", "Arguments that do not fit are `rejected`, `invalid_arguments`.", orders.invalid_arguments),
    Check("commands.reply_to", "A command whose reply_to is not the device's own is refused.", orders.reply_to),
    Check("commands.expired", "A command whose expires_at has passed is `expired` and does not run.", orders.expired),
    Check("cancels.before", "A cancel that overtakes its command wins: `cancelled`.", cancels.before),
    Check("cancels.after", "A cancel after the end brings the final reply again.", cancels.after),
    Check("cancels.expired", "A cancel whose expires_at has passed cancels nothing.", cancels.expired),
    Check("signing.signs", "An enrolled device signs its profile, events and replies.", signing.signs),
    Check("signing.unsigned", "An enrolled device acts on nothing unsigned.", signing.unsigned),
    Check("signing.forged", "An enrolled device acts on nothing that somebody else signed.", signing.forged),
    Check("robustness.commands", "An invalid command is dropped, and the device goes on.", robustness.command),
    Check("robustness.cancels", "An invalid cancel is dropped, and the device goes on.", robustness.cancel),
    Check("robustness.acks", "An invalid Ack is dropped, and the device goes on.", robustness.ack),
    # after the others: the broker is rid of it by an empty message, and a device may not outlive that
    Check("commands.retained", "A command that carries the retain flag is refused.", orders.retained),
    Check("heartbeats.period", "A heartbeat comes every period.", heartbeats.period),
    Check("heartbeats.fields", "A heartbeat has at, seq and the boot_id of presence.", heartbeats.fields),
    Check("heartbeats.flags", "A heartbeat is published with QoS 0 and retained.", heartbeats.flags),
    Check("heartbeats.seq", "seq grows from heartbeat to heartbeat.", heartbeats.seq),
    Check("replies.topic", "A reply is published on its command's reply_to.", replies.topic),
    Check("replies.fields", "A reply has command_id, status, at and boot_id; an error has a known code.", replies.fields),
    Check("replies.boot_id", "A reply names the boot_id of presence.", replies.boot_id),
    Check("replies.flags", "A reply is published with QoS 1 and not retained.", replies.flags),
    Check("replies.one_final", "Exactly one final status holds for a command.", replies.one_final),
    Check("replies.resent", "A final reply is kept, and said again, until an Ack names its command.", replies.resent),
    Check("replies.acked", "A reply that was acknowledged is not said again by itself.", replies.acked),
    Check("times.form", "Each `at` is RFC 3339, UTC, with milliseconds.", replies.instants),
    Check("leaving.will", "The Last Will says `offline`, `connection_lost`, retained, with the boot_id.", leaving.will),
    Check("leaving.returns", "On each connect the profile comes first, then presence, then the rest.", leaving.returns),
    Check("leaving.spool", "After a reconnect come the replies that nobody acknowledged, then heartbeats.", leaving.spool),
)  # fmt: skip

FIRST_WORDS = 3.0  # seconds for what the broker has retained
ASKING = ("commands.", "cancels.", "robustness.", "signing.unsigned", "signing.forged")


async def examine(examination: Examination, begins: Callable[[Check], None]) -> AsyncGenerator[Finding, None]:
    """Make every check; each finding as it is made. `begins` is told what comes next.

    Whatever it has asked of the device is acknowledged when this ends.

    Raises:
        LineLost: the connection to the broker broke.
    """
    try:
        for check in CHECKS:
            begins(check)
            if check.name.startswith(ASKING) and examination.call is None:
                verdict = untried(examination.no_call)
            else:
                verdict = await check.look(examination)
            yield Finding(check, verdict)
            if verdict.state is State.BROKEN and check.name.startswith(ASKING):
                await _look_whether_it_lives(examination, check)
            if check.look is orders.answered and examination.call is not None:
                await _ask_ahead(examination)
            await examination.tidy()
    finally:
        examination.withheld = None
        await examination.tidy()


async def first_words(examination: Examination) -> bool:
    """Wait for what the broker has retained of the device; whether it has anything."""

    def both() -> bool | None:
        return (examination.presence() is not None and examination.profile() is not None) or None

    await examination.line.until(both, within_s=FIRST_WORDS)
    examination.stored, examination.began_at = examination.line.mark(), asyncio.get_running_loop().time()
    return bool(examination.line.heard)


async def _look_whether_it_lives(examination: Examination, check: Check) -> None:
    """One fault is told once: a device that is gone breaks no further rule."""
    if examination.call is not None and not await examination.fence():
        examination.call, examination.no_call = None, f"it has not answered since {check.name}"
        examination.gone = True


async def _ask_ahead(examination: Examination) -> None:
    """Two commands that are looked at again at the end: one is acknowledged, the other is not."""
    dropped = examination.command()
    if await examination.ask(dropped) is not None:
        examination.dropped = dropped, asyncio.get_running_loop().time()
    kept = examination.command()
    examination.withheld = kept["id"]
    if await examination.ask(kept) is None:
        examination.withheld = None

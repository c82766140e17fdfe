"""Commands: answered, once, and only what may be answered."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from orion.conform import call as calls
from orion.conform.call import Call
from orion.conform.examination import RAN, Examination
from orion.conform.findings import Verdict, broken, judged, passed, untried
from orion.conform.line import INSTANCE, NOBODY, Heard, Json
from schemas.topics import Kind
from schemas.wire import format_instant

AT_ONCE = 1.0  # seconds in which a final reply needs no `accepted` before it
LATENESS = 0.5  # seconds of the network and of a busy machine


async def answered(examination: Examination) -> Verdict:
    """The plain command gets a final reply. The other checks build on it."""
    command = examination.command()
    final = await examination.ask(command)
    if final is None:
        said = examination.statuses(command)
        examination.call, examination.no_call = None, "the device did not answer a plain command"
        return broken(silent(examination) + (f", only {', '.join(said)}" if said else ""))
    status, error = final.said.get("status"), final.said.get("error")
    if status == "succeeded":
        return passed(f"{command['tool']} {status}")
    if status == "failed":
        return passed(f"{command['tool']} failed: {_code(error)}")
    examination.call, examination.no_call = None, f"a plain command was {status}"
    return broken(f"{command['tool']} was {status}: {_code(error)}")


async def accepted(examination: Examination) -> Verdict:
    """`accepted` comes first, unless all is over within a second."""
    command = examination.command()
    began = examination.line.mark()
    sent_at = asyncio.get_running_loop().time()
    final = await examination.ask(command)
    if final is None:
        return broken(silent(examination))
    said = examination.statuses(command, after=began)
    took = final.at - sent_at
    if "accepted" in said[: said.index(str(final.said["status"]))]:
        return passed()
    if took <= AT_ONCE + LATENESS:
        return passed(f"it was over after {took:.2f} s")
    return broken(f"the final reply came after {took:.1f} s, and nothing before it")


async def repeated(examination: Examination) -> Verdict:
    """Each arrival of an id is answered."""
    command = examination.command()
    if await examination.ask(command) is None:
        return untried(silent(examination))
    if await examination.ask(command | {"attempt": 2}) is None:
        return broken(f"the second arrival of an id: {silent(examination)}")
    return passed()


async def once(examination: Examination) -> Verdict:
    """The second arrival is answered with what the first one did."""
    command = examination.command()
    first = await examination.ask(command)
    second = await examination.ask(command | {"attempt": 2}) if first is not None else None
    if first is None or second is None:
        return untried(silent(examination))
    return judged(_differ(first, second), "as far as the answers tell")


async def first_counts(examination: Examination) -> Verdict:
    """The same id with another content is answered like the first."""
    command = examination.command()
    first = await examination.ask(command)
    other = command | {"tool": calls.NO_SUCH_TOOL, "arguments": {"other": True}}
    second = await examination.ask(other) if first is not None else None
    if first is None or second is None:
        return untried(silent(examination))
    return judged(_differ(first, second))


async def unknown_fields(examination: Examination) -> Verdict:
    """What a later version adds is ignored."""
    more: Json = {"requested_by": {"user": "conform", "via": "cli", "later": [1]}, "later": {"version": 2}}
    final = await examination.ask(examination.command(**more))
    if final is None:
        return broken(f"a command with unknown fields: {silent(examination)}")
    status = final.said.get("status")
    return passed() if status in ("succeeded", "failed") else broken(f"it was {status}")


async def unknown_tool(examination: Examination) -> Verdict:
    """A tool that is not in the profile does not exist."""
    return await _rejected(examination, Call(calls.NO_SUCH_TOOL, {}), "unknown_tool")


async def invalid_arguments(examination: Examination) -> Verdict:
    """Arguments that do not fit the tool's schema are rejected."""
    profile = examination.read_profile()
    if profile is None or examination.call is None:
        return untried(examination.no_call)
    wrong = calls.misfit(profile.tools, examination.call)
    if wrong is None:
        return untried("all arguments fit the tools that may be called; name another with --tool")
    return await _rejected(examination, wrong, "invalid_arguments")


async def reply_to(examination: Examination) -> Verdict:
    """Nothing is said where a device must not answer."""
    topics, faults = examination.line.topics, []
    elsewhere = (
        topics.reply(NOBODY, INSTANCE),
        topics.device(examination.device_id, Kind.EVENT),
        topics.reply(examination.device_id, INSTANCE) + "/more",
        topics.reply(examination.device_id, "x" * 65),
        "",
    )
    mark = examination.line.mark()
    commands = [examination.command(reply_to=topic) for topic in elsewhere]
    for command in commands:
        await examination.give(command)
    if not await examination.fence():
        return broken(f"after commands with a foreign reply_to, the next one: {silent(examination)}")
    for command in commands:
        for one in examination.replies(command, after=mark):
            if one.topic == command["reply_to"]:
                faults.append(f"it answered on {one.topic}")
            elif one.said.get("status") in RAN:
                faults.append(f"it ran a command that wants its answer on {command['reply_to']!r}")
    return judged(faults)


async def retained(examination: Examination) -> Verdict:
    """A retained command is refused. The broker is rid of it before this returns."""
    if examination.mqtt3:
        return untried("an MQTT 3.1.1 device sees the flag only when it subscribes")
    command = examination.command()
    mark = examination.line.mark()
    try:
        await examination.give(command, retain=True)
    finally:
        await examination.line.send(Kind.COMMAND, b"", retain=True)
    if not await examination.fence():
        return broken(f"after a retained command, the next one: {silent(examination)}")
    ran = [status for status in examination.statuses(command, after=mark) if status in RAN]
    if not ran:
        return passed()
    return broken(f"it ran ({ran[-1]}); a device of MQTT 3.1.1 cannot see the flag: --mqtt3")


async def expired(examination: Examination) -> Verdict:
    """A command whose time is over does not run."""
    now = datetime.now(UTC)
    past: Json = {
        "issued_at": format_instant(now - timedelta(hours=2)),
        "expires_at": format_instant(now - timedelta(hours=1)),
    }
    final = await examination.ask(examination.command(**past), lasts_s=None)
    if final is None:
        return broken(f"a command that expired an hour ago: {silent(examination)}")
    status = final.said.get("status")
    return passed() if status == "expired" else broken(f"it was {status}")


async def _rejected(examination: Examination, call: Call, code: str) -> Verdict:
    final = await examination.ask(examination.command(call))
    if final is None:
        return broken(f"{call.tool}: {silent(examination)}")
    status, found = final.said.get("status"), _code(final.said.get("error"))
    if (status, found) == ("rejected", code):
        return passed()
    return broken(f"{call.tool} with {json.dumps(call.arguments)} was {status}, {found}")


def _differ(first: Heard, second: Heard) -> list[str]:
    faults = []
    for name in ("status", "result", "error", "duration_ms"):
        one, other = first.said.get(name), second.said.get(name)
        if one != other:
            faults.append(f"{name} was {_short(one)}, and then {_short(other)}")
    return faults


def silent(examination: Examination) -> str:
    """What is said when nothing came."""
    return f"no answer within {examination.within_s:g} s"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _code(error: Any) -> str:
    return str(error.get("code")) if isinstance(error, dict) else "no error"

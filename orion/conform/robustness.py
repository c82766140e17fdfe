"""Whatever arrives: the device drops it and goes on."""

import json

from orion.conform.examination import RAN, Examination
from orion.conform.findings import Verdict, broken, judged, untried
from orion.conform.line import Json
from schemas.topics import Kind
from schemas.wire import MAX_PAYLOAD

NESTED = 5000  # levels


async def command(examination: Examination) -> Verdict:
    """On the topic of commands."""
    return await _survives(examination, Kind.COMMAND)


async def cancel(examination: Examination) -> Verdict:
    """On the topic of cancels."""
    return await _survives(examination, Kind.CANCEL)


async def ack(examination: Examination) -> Verdict:
    """On the topic of Acks."""
    return await _survives(examination, Kind.ACK)


def spoiled(whole: Json) -> dict[str, bytes]:
    """A message damaged in each way that makes it invalid, by what was done to it."""
    text = json.dumps(whole).encode()
    spoilt = {
        "nothing": b"",
        "null": b"null",
        "an array": b"[1, 2]",
        "a number": b"7",
        "half of it": text[: len(text) // 2],
        "binary": bytes(range(256)),
        "other bytes before it": b"\xff\xfe" + text,
        f"{NESTED} brackets": b"[" * NESTED,
        "more than 256 KiB": json.dumps(whole | {"padding": "x" * MAX_PAYLOAD}).encode(),
    }
    for name in ("id", "command_id", "arguments", "expires_at", "reply_to", "replies", "refused"):
        if name in whole:
            spoilt[f"a number as {name}"] = json.dumps(whole | {name: 7}).encode()
    for name in ("id", "tool", "expires_at", "reply_to", "command_id"):
        if name in whole:
            spoilt[f"no {name}"] = json.dumps({key: whole[key] for key in whole if key != name}).encode()
    return spoilt


async def _survives(examination: Examination, kind: Kind) -> Verdict:
    """Send all of them, then something plain; nothing of it may have run, and it must be the same life."""
    before = examination.command()
    if examination.call is None:
        return untried(examination.no_call)
    whole: Json = before
    if kind is Kind.CANCEL:
        whole = {name: before[name] for name in ("id", "expires_at")} | {
            "command_id": before["id"],
            "at": before["issued_at"],
        }
    elif kind is Kind.ACK:
        whole = {"at": before["issued_at"], "replies": [before["id"]], "refused": []}
    lives, mark = examination.lives(), examination.line.mark()
    for name, body in spoiled(whole).items():
        await examination.line.send(kind, body)
        if not await examination.fence():
            return broken(f"it did not answer any more after this: {name}")
        if examination.lives() - lives:
            return broken(f"it began another life after this: {name}")
    ran = [each for each in examination.statuses(before, after=mark) if each in RAN]
    return judged([f"it ran a spoiled one ({each})" for each in ran])

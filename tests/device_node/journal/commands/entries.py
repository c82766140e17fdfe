"""What a node asks of its journal and writes in it."""

import asyncio

from device_node.journal import Entry, Journal
from schemas.commands import Reply


async def received(
    journal: Journal,
    command_id: str,
    *,
    expires_at: float = 0.0,
    now: float = 0.0,
    command: bytes | None = None,
) -> bool:
    return await asked(journal, command_id, expires_at=expires_at, now=now, command=command) is None


async def asked(
    journal: Journal,
    command_id: str,
    *,
    expires_at: float = 0.0,
    now: float = 0.0,
    command: bytes | None = None,
) -> Entry | None:
    return await journal.receive(command_id, reply_to="r", expires_at=expires_at, now=now, command=command)


async def started(journal: Journal, command_id: str, *, again: bool = False) -> bool:
    return await asyncio.to_thread(journal.start, command_id, changes=True, again=again)


async def finished(journal: Journal, command_id: str, reply: bytes = b"x") -> Entry | None:
    return await journal.finish(command_id, reply_to="r", reply=reply)


def a_reply(command_id: str, size: int = 2_000) -> bytes:
    reply = {
        "command_id": command_id,
        "status": "succeeded",
        "at": "2026-02-12T10:30:05.120Z",
        "boot_id": "b",
        "result": {"text": "x" * size},
    }
    return Reply.model_validate(reply).encode()

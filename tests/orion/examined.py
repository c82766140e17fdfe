"""Examinations of lamps, many at once, each by a controller's identity of its own."""

import asyncio
from collections import deque
from pathlib import Path

from broker.identities import UnknownIdentity, await_active
from broker.session import Endpoint
from orion import conform
from orion.conform import Finding
from schemas.signing import Signer, Verifier
from schemas.topics import DEFAULT_PREFIX
from tests.broker.running import RunningBroker
from tests.examples.lamps import Lamp

HEARTBEAT = 3.0  # seconds; the lamps' own are a second apart
WITHIN = 3.0
WATCHED = 0.5
PATIENCE = 20.0  # of whoever waits for a lamp to be cut off
THERE_WITHIN = 15.0  # seconds for a lamp's program to start and connect


async def examiner(broker: RunningBroker, name: str) -> Endpoint:
    """Who examines the device of this name; made at the first call."""
    try:
        kept = await asyncio.to_thread(broker.identities.kept, f"controller-conform-{name}")
    except UnknownIdentity:
        kept = await asyncio.to_thread(broker.identities.ensure, f"conform-{name}")
        await await_active(broker.endpoint(kept.username, kept.password))
    return broker.endpoint(kept.username, kept.password)


async def examined(
    broker: RunningBroker,
    name: str,
    lamp: Lamp,
    *,
    mqtt3: bool = False,
    cut: bool = False,
    signer: Signer | None = None,
    verifier: Verifier | None = None,
) -> dict[str, Finding]:
    """Run a lamp and what is found about it; with `cut` its program dies and is started when that is asked for."""
    endpoint = await examiner(broker, name)
    await asyncio.to_thread(lamp.start)
    acts = deque([lamp.kill, lamp.start])

    def act(_asked: str) -> None:
        asyncio.get_running_loop().run_in_executor(None, acts.popleft())

    try:
        async with conform.connected(endpoint, name, DEFAULT_PREFIX, signer=signer) as line:
            examination = conform.Examination(
                line, within_s=WITHIN, watch_s=WATCHED, heartbeat_s=HEARTBEAT, mqtt3=mqtt3, disconnects=cut
            )
            examination.patience_s = PATIENCE
            examination.verifier = verifier
            examination.say = act
            async with asyncio.timeout(THERE_WITHIN):
                while not await conform.first_words(examination):
                    pass
            examination.choose(None, {}, may_write=False)
            return {each.check.name: each async for each in conform.examine(examination, lambda _check: None)}
    finally:
        await asyncio.to_thread(lamp.kill)


def broken(findings: dict[str, Finding]) -> dict[str, str]:
    """The checks that failed, with what was seen."""
    return {
        name: each.verdict.seen
        for name, each in findings.items()
        if each.verdict.state is conform.State.BROKEN
    }


def passed(findings: dict[str, Finding]) -> set[str]:
    """The checks that were tried and kept."""
    return {name for name, each in findings.items() if each.verdict.state is conform.State.PASSED}


def a_folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made

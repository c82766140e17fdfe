"""One read-only command from submit to its stored final reply, beside a bare echo through the same broker.

Both go through two processes and one Mosquitto, in turns (A B A B …), one at a time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime

from bench.figures import Figure, Spread
from bench.stand import ACTOR, Stand, peer
from broker.session import Endpoint, PublishProperties, Session, Subscription
from controller.services import commands, waiting
from controller.services.commands import CommandRequest

ROUNDS = 300
WARM_UP = 30
PAYLOAD = (
    b'{"id": "01999999-0000-7000-8000-000000000000", "tool": "list_directory", "arguments": {"path": "/tmp"}, "pad": "%s"}'
    % (
        b"x" * 400  # about as long as a command
    )
)


async def measure(stand: Stand, echo_place: Endpoint, asker_place: Endpoint) -> list[Figure]:
    """The median of both, and their ratio."""
    listen = stand.topics.prefix + "/bench/asked"
    answer = stand.topics.prefix + "/bench/answered"
    wanted = {
        "be": "echo",
        "endpoint": asdict(echo_place) | {"tls": None},
        "listen": listen,
        "answer": answer,
    }
    async with peer(wanted, until="ready"):
        session = Session(asker_place, client_id=asker_place.username or "", clean_start=True)
        await session.connect()
        await session.subscribe([Subscription(answer)])
        try:
            ours, bare = await _in_turns(lambda: _command(stand), lambda: _echo(session, listen))
        finally:
            await session.close()
    return [
        Figure(
            "command round trip, submit to stored reply, p50",
            Spread.of(ours).said("ms"),
            f"bare MQTT echo {Spread.of(bare).said('ms')}",
            Spread.of(ours).median / Spread.of(bare).median,
            "as near to the echo as can be",
        )
    ]


async def _in_turns(
    ours: Callable[[], Awaitable[None]], bare: Callable[[], Awaitable[None]]
) -> tuple[list[float], list[float]]:
    samples: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + ROUNDS):
        for work, kept in zip((ours, bare), samples, strict=True):
            begun = time.perf_counter()
            await work()
            if number >= WARM_UP:
                kept.append((time.perf_counter() - begun) * 1e3)
    return samples


async def _command(stand: Stand) -> None:
    request = CommandRequest("node", "list_directory", {"path": str(stand.data_dir / "files")})
    row = await stand.store.write(
        lambda session: commands.submit(session, request, actor=ACTOR, now=datetime.now(UTC))
    )
    ended = await waiting.until_settled(stand.store, stand.replies, [row.id], within_s=10)
    if ended[0].status != "succeeded":
        raise RuntimeError(f"the measured command {ended[0].status}: {ended[0].error_message}")


async def _echo(session: Session, listen: str) -> None:
    properties = PublishProperties(content_type="application/json")
    session.publish(listen, PAYLOAD, properties=properties)
    async with asyncio.timeout(5):
        for message in await session.receive(10):
            session.ack(message)

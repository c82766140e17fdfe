"""The other side of a measurement, in a process of its own: our node, a bare echo, or many devices.

What to be comes on standard input as one JSON object, so that no password stands in an
argument list; the end of standard input is the order to stop.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from bench import crowd, flood, lab
from broker.session import Connected, Endpoint, PublishProperties, Session, Subscription, keep_connected
from device_node import app as node
from device_node.settings import NodeSettings
from schemas.keys import Key
from schemas.signing import Signer


async def serve(wanted: dict[str, Any], stop: asyncio.Event) -> None:
    """Be the node or the echo until `stop`; a crowd ends by itself."""
    endpoint = Endpoint(**wanted["endpoint"])
    if wanted["be"] == "node":
        settings = NodeSettings(
            data_dir=Path(wanted["data_dir"]),
            device_id=endpoint.username or "",
            endpoint=endpoint,
            policy_path=Path(wanted["policy"]),
            signer=Signer.restore(wanted["signs_with"]),
            controller_keys=tuple(Key.model_validate(key) for key in wanted["believes"]),
        )
        await node.run(settings, stop)
        return
    if wanted["be"] == "crowd":
        await crowd.play(wanted, endpoint)
        return
    if wanted["be"] == "flood":
        await asyncio.to_thread(flood.play, wanted, endpoint)
        return
    if wanted["be"] == "lab":
        await lab.play(wanted, endpoint, stop)
        return
    await keep_connected(
        lambda: Session(endpoint, client_id=endpoint.username or ""),
        lambda session, connected: _echo(session, connected, wanted),
        stop=stop,
    )


async def _echo(session: Session, _connected: Connected, wanted: dict[str, Any]) -> None:
    await session.subscribe([Subscription(wanted["listen"])])
    print("ready", flush=True)
    while True:
        for message in await session.receive(100):
            session.ack(message)
            properties = PublishProperties(content_type="application/json")
            session.publish(wanted["answer"], message.payload, properties=properties)


async def main() -> None:
    """Read what to be, then be it until standard input ends."""
    wanted = json.loads(await asyncio.to_thread(sys.stdin.readline))
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(wanted, stop), name="peer")
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    serving.cancel()
    await asyncio.wait((serving,))


if __name__ == "__main__":
    asyncio.run(main())

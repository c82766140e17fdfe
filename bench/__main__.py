"""`make bench`: every measurement, one table. `--long` holds the pace of events for a minute.

`--dynsec` measures how many devices a broker that is run elsewhere carries, `--stats` the figures of a million
commands, and nothing else: either takes minutes.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import (
    decision,
    dynsec,
    footprint,
    groups,
    inflight,
    ingest,
    metering,
    noise,
    planning,
    signing,
    start,
    stats,
)
from bench.figures import Figure, table
from bench.stand import Stand, joined, stand
from broker.identities import Identities, await_active
from broker.session import Endpoint

console = Console(stderr=True)


async def _with_broker(data_dir: Path, *, long: bool) -> list[Figure]:
    async with stand(data_dir) as running, joined(running, "node", data_dir / "node-data") as node_pid:
        identities = running.identities
        with console.status("Measuring commands on the way"):
            echo = await _controller(identities, running, "echo")
            asker = await _controller(identities, running, "asker")
            figures = await inflight.measure(running, echo, asker)
        with console.status("Measuring events of a thousand devices"):
            crowd = await _controller(identities, running, "crowd")
            figures += await ingest.measure(running, crowd, asker, long=long)
        with console.status("Sending orders to groups"):
            members = await _controller(identities, running, "lab")
            figures += await groups.measure(running, members)
        with console.status(f"Watching an idle node for {footprint.IDLE_FOR:.0f} s"):
            figures += await footprint.measure(node_pid)
        with console.status("Starting controllers"):
            other = await _controller(identities, running, "start")
            figures += await asyncio.to_thread(start.measure, data_dir / "start", other)
    return figures


async def _controller(identities: Identities, running: Stand, instance: str) -> Endpoint:
    kept = await asyncio.to_thread(identities.ensure, instance)
    endpoint = Endpoint(running.controller.host, running.controller.port, kept.username, kept.password)
    await await_active(endpoint)
    return endpoint


def main() -> int:
    """Measure everything; the exit code says only whether it could be measured."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--long", action="store_true", help="hold the pace of events for a minute")
    parser.add_argument(
        "--dynsec", action="store_true", help="measure a remote broker's bound, and only that"
    )
    parser.add_argument(
        "--stats", action="store_true", help="measure figures of a million commands, and only those"
    )
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as folder:
        if wanted.dynsec:
            with console.status("Adding devices to a remote broker"):
                figures = asyncio.run(dynsec.measure(Path(folder)))
        elif wanted.stats:
            with console.status("Counting a million commands"):
                figures = stats.measure()
        else:
            with console.status("Measuring decisions, plans and signatures"):
                figures = [*decision.measure(), *planning.measure(), *signing.measure(), *metering.measure()]
            figures += asyncio.run(_with_broker(Path(folder) / "one", long=wanted.long))
            with console.status("Commands beside a device that floods"):
                figures += asyncio.run(noise.measure(Path(folder)))
    Console(width=None if sys.stdout.isatty() else 160).print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())

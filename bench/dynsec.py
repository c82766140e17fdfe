"""How long a remote broker's dynamic security takes for each further device, and for a whole crowd.

The plugin writes its whole file at every change, so the cost of one grows with all that are there:
where it does, `Remote.bound` says it. The baseline is our own broker's file in the same run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figures import Figure, Spread
from broker.administration import Administration
from tests.broker.administered import DYNSEC, FILES, administered_broker

CROWDS = (100, 500, 1_000, 2_500)  # devices that are there when a further one is added
SAMPLES = 20
REVOKE_WITHIN = 2.0  # seconds


async def measure(folder: Path) -> list[Figure]:
    """One broker of each kind, filled in steps."""
    costs = {kind: await _costs(kind, folder / kind) for kind in (FILES, DYNSEC)}
    return [
        figure for crowd in CROWDS for figure in _figures(crowd, costs[DYNSEC][crowd], costs[FILES][crowd])
    ]


Costs = dict[str, Spread]  # of one crowd, by what was done


async def _costs(kind: str, folder: Path) -> dict[int, Costs]:
    await asyncio.to_thread(folder.mkdir)
    found: dict[int, Costs] = {}
    async with administered_broker(kind, folder) as broker:
        administration, there = broker.administration, 0
        for crowd in CROWDS:
            begun = time.perf_counter()
            for number in range(there, crowd):
                await administration.add_device(f"d{number}")
            took = time.perf_counter() - begun
            added = crowd - there
            there = crowd
            found[crowd] = await _one_more(administration, crowd) | {
                "filling": Spread(took, took, took),
                "each": Spread(took / added * 1e3, took / added * 1e3, took / added * 1e3),
            }
    return found


async def _one_more(administration: Administration, crowd: int) -> Costs:
    names = [f"x{crowd}-{number}" for number in range(SAMPLES)]
    return {
        "add": await _each(names, administration.add_device),
        "rotate": await _each(names, administration.rotate),
        "remove": await _each(names, administration.remove),
    }


async def _each(names: list[str], act: Callable[[str], Awaitable[object]]) -> Spread:
    samples = []
    for name in names:
        begun = time.perf_counter()
        await act(name)
        samples.append((time.perf_counter() - begun) * 1e3)
    return Spread.of(samples)


def _figures(crowd: int, theirs: Costs, ours: Costs) -> list[Figure]:
    return [
        Figure(
            f"dynamic security, {crowd} devices: {what} one more",
            theirs[what].said("ms"),
            f"our own broker {ours[what].said('ms')}",
            theirs[what].median / ours[what].median,
            f"under {REVOKE_WITHIN:.0f} s" if what == "remove" else "",
            theirs[what].most < REVOKE_WITHIN * 1e3 if what == "remove" else None,
        )
        for what in ("add", "rotate", "remove")
    ] + [
        Figure(
            f"dynamic security, up to {crowd} devices: adding them",
            f"{theirs['filling'].median:.1f} s, {theirs['each'].median:.1f} ms each",
            f"our own broker {ours['filling'].median:.1f} s",
            theirs["filling"].median / ours["filling"].median,
        )
    ]

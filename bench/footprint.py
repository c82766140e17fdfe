"""What a node costs while nothing happens, beside a bare Python process of the same interpreter."""

import asyncio
import sys

import psutil

from bench.figures import Figure

IDLE_FOR = 65.0  # seconds: two heartbeats are part of doing nothing


async def measure(node_pid: int) -> list[Figure]:
    """Resident memory, and the processor's share over some idle seconds."""
    bare = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE
    )
    try:
        node = psutil.Process(node_pid)
        before = node.cpu_times()
        await asyncio.sleep(IDLE_FOR)
        after = node.cpu_times()
        memory = node.memory_info().rss / 1e6
        bare_memory = psutil.Process(bare.pid).memory_info().rss / 1e6
    finally:
        bare.terminate()
        await bare.wait()
    used = (after.user - before.user) + (after.system - before.system)
    return [
        Figure(
            "node, resident memory",
            f"{memory:.0f} MB",
            f"bare interpreter {bare_memory:.0f} MB",
            memory / bare_memory,
        ),
        Figure("node, idle processor share", f"{100 * used / IDLE_FOR:.2f} % of one core"),
    ]

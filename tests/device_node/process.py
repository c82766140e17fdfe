"""A node as a program of its own, to be killed."""

import asyncio
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from device_node.settings import NodeSettings

PROGRAM = """
import asyncio, logging, pickle, sys
from pathlib import Path
from device_node import app
logging.basicConfig(level=logging.INFO)
settings = pickle.loads(Path(sys.argv[1]).read_bytes())
sys.exit(asyncio.run(app.run(settings, asyncio.Event())))
"""


@asynccontextmanager
async def node_process(settings: NodeSettings, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running node; whatever is left of it at the end is killed."""
    path = folder / "settings.pickle"
    path.write_bytes(pickle.dumps(settings))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(path))
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

"""A node as a program of its own, to be killed from outside or at a step of its own."""

import asyncio
import json
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from device_node.settings import NodeSettings

PROGRAM = """
import asyncio, dataclasses, importlib, inspect, json, logging, os, pickle, signal, sys
from pathlib import Path
from device_node import app, tools
from schemas.events import Severity

logging.basicConfig(level=logging.INFO)
settings = pickle.loads(Path(sys.argv[1]).read_bytes())
wishes = json.loads(sys.argv[2])


def wrap(moment, where):
    module, _, path = where.partition(":")
    owner, name = path.split(".")
    owner = getattr(importlib.import_module(module), owner)
    method = getattr(owner, name)

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    async def slow(*args, **kwargs):
        if moment == "before":
            die()
        await method(*args, **kwargs)
        die()

    def quick(*args, **kwargs):
        if moment == "before":
            die()
        method(*args, **kwargs)
        die()

    setattr(owner, name, slow if inspect.iscoroutinefunction(method) else quick)


class Producer(app.Events):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.task = asyncio.get_running_loop().create_task(self.produce())

    async def produce(self):
        while not self._journal.is_open:
            await asyncio.sleep(0.01)
        for number in range(wishes["reports"]):
            await self.report("test", Severity.INFO, {"number": number})


if wishes["dies"]:
    wrap(*wishes["dies"].split())
if wishes["resumable"]:
    name = wishes["resumable"]
    tools.TOOLS[name] = dataclasses.replace(tools.TOOLS[name], resumable=True)
if wishes["reports"]:
    app.Events = Producer
sys.exit(asyncio.run(app.run(settings, asyncio.Event())))
"""


@asynccontextmanager
async def node_process(
    settings: NodeSettings, folder: Path, *, dies: str = "", resumable: str = "", reports: int = 0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running node; whatever is left of it at the end is killed.

    With `dies`, as `"before package.module:Class.method"`, it kills itself there. It takes
    the tool `resumable` for one, and reports that many events.
    """
    path = folder / "settings.pickle"
    await asyncio.to_thread(path.write_bytes, pickle.dumps(settings))
    wishes = json.dumps({"dies": dies, "resumable": resumable, "reports": reports})
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(path), wishes)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

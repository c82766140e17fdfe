"""Our own program on a device, enrolled: in a thread of this process, which makes its many lives cheap.

What it did is a folder in `files` that is there or not. Its clock can be wrong.
"""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.session import Endpoint
from device_node import app
from device_node.settings import NodeSettings
from schemas.keys import Key
from schemas.signing import Signer
from tests.conformance.wire_peer import PREFIX, Json, Seen, fresh

if TYPE_CHECKING:
    from tests.security.stand import Stand

INSTANCE = "main"  # of the controller that everything here answers to
ONLINE_WITHIN = 30.0  # seconds, on a machine that is busy
STOPPED_WITHIN = 10.0


class Node:
    """One place, one data folder, one life after the other."""

    def __init__(self, stand: "Stand", name: str, password: str, signer: Signer, keys: list[Json]) -> None:
        self.stand, self.name, self.signer = stand, name, signer
        self.keys = tuple(Key.model_validate(key) for key in keys)
        self.password = password
        self.topic = f"{PREFIX}/devices/{name}"
        self.data_dir = stand.site.directory / name
        self._life: _Life | None = None

    def start(self, *, slow_by: float = 0.0, known: bool = True) -> None:
        """Begin a life, with a clock that is so many seconds behind; return when it is there.

        `known`: and when the controller knows.
        """
        mark = self.stand.spy.mark()
        self._life = _Life(self._settings(), self._keep, timedelta(seconds=slow_by))
        self._life.start()
        self.stand.spy.expect(f"{self.topic}/presence", after=mark, within=ONLINE_WITHIN, state="online")
        if known:
            self.stand.until_status(self.name, "online")

    def stop(self) -> None:
        """End the life cleanly, if there is one."""
        if self._life is not None:
            self._life.end()
            self._life = None

    def path(self) -> Path:
        """A folder that is not there yet."""
        return self.stand.files / fresh()

    def make(self, path: Path) -> Json:
        """Have a folder made by who may order it; the command as it ended."""
        return self.stand.order(self.name, "create_directory", path=str(path))

    def fence(self) -> None:
        """What was sent to it before has been looked at, and what it said has been seen, when this returns."""
        made = self.make(self.path())
        assert made["status"] == "succeeded", made
        self.stand.spy.expect(
            f"{self.topic}/reply/{INSTANCE}", command_id=made["command_id"], status="succeeded"
        )

    def final(self, command: Json, *, after: int = 0) -> Seen:
        """Its final reply to a command, which no controller waits for."""
        topic = str(command["reply_to"])
        return self.stand.spy.expect(topic, after=after, command_id=command["id"], status="succeeded")

    def replies(self, command: Json, *, after: int = 0) -> list[Seen]:
        """Every answer of its to a command."""
        return self.stand.spy.all(str(command["reply_to"]), after=after, command_id=command["id"])

    def statuses(self, command: Json, *, after: int = 0) -> list[str]:
        return [str(seen.json()["status"]) for seen in self.replies(command, after=after)]

    async def _keep(self, keys: Any) -> None:
        self.keys = tuple(keys)

    def _settings(self) -> NodeSettings:
        return NodeSettings(
            data_dir=self.data_dir,
            device_id=self.name,
            endpoint=Endpoint("127.0.0.1", self.stand.site.port, self.name, self.password),
            policy_path=self.stand.site.directory / "policy.toml",
            signer=self.signer,
            controller_keys=self.keys,
            heartbeat_s=1.0,
        )


class _Life:
    """One run of the program in a thread with an event loop of its own."""

    def __init__(self, settings: NodeSettings, keep: Any, slow_by: timedelta) -> None:
        self._settings, self._keep, self._slow_by = settings, keep, slow_by
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = ThreadPoolExecutor(1, f"node {settings.device_id}")
        self._lived: Future[None] | None = None

    def start(self) -> None:
        self._lived = self._thread.submit(lambda: asyncio.run(self._live()))
        self._lived.add_done_callback(lambda _: self._begun.set())
        assert self._begun.wait(STOPPED_WITHIN)

    def end(self) -> None:
        assert self._lived is not None
        if self._loop is not None and self._stop is not None and not self._lived.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._lived.result(STOPPED_WITHIN)  # what ended it before its time is raised here
        self._thread.shutdown()

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        await app.run(self._settings, self._stop, own_time=self._own_time, keep_keys=self._keep)

    def _own_time(self) -> datetime:
        return datetime.now(UTC) - self._slow_by

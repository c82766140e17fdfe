"""Whatever arrives on any topic the controller reads, the next real command is settled."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.services.orders import Status
from controller.store.store import Store
from schemas.topics import Kind
from tests.broker.running import running_broker
from tests.controller.mqtt.door import Door, arrive, device, opened
from tests.controller.mqtt.peer import Peer
from tests.factories import a_reply, a_request

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
instants = st.sampled_from(
    ["2026-02-12T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "noon", 0, None]
)
ids = st.sampled_from(["e1", "", "x" * 65, "\x00", "🙂", 7]) | st.text(max_size=8)
tools = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["pump_start", "create_directory", "Bad Name"]),
        "description": st.text(max_size=5),
        "parameters": st.sampled_from(
            [
                {"type": "object"},
                {"type": "object", "properties": [1]},
                {"type": "object", "properties": {"a": {"$ref": "#"}}},
                {"type": "object", "maximum": 2**60},
                {"type": "array"},
            ]
        )
        | json_values,
    },
    optional={"risk": st.sampled_from(["low", "none", 1]), "annotations": json_values},
)
fields: dict[str, st.SearchStrategy[Any]] = {
    "id": ids,
    "at": instants,
    "boot_id": st.sampled_from(["boot-0", "boot-9"]),
    "state": st.sampled_from(["online", "offline", "asleep"]),
    "reason": json_values,
    "device_id": st.sampled_from(["laptop", "printer"]),
    "tools": st.lists(tools, max_size=2),
    "os": json_values | st.just({"type": "windows"}),
    "home": json_values,
    "allowed_paths": json_values | st.lists(st.text(max_size=9), max_size=3),
    "seq": st.integers() | st.floats(),
    "cpu_percent": st.floats() | st.integers(),
    "temperatures": json_values,
    "type": st.text(max_size=70),
    "severity": st.sampled_from(["info", "critical", "loud"]),
    "data": json_values | st.just({}),
    "resolves": ids,
    "command_id": ids,
    "status": st.sampled_from(["accepted", "progress", "succeeded", "lost"]),
    "progress": st.floats(),
    "result": json_values,
    "error": json_values | st.just({"code": "replayed", "message": ""}),
    "duration_ms": st.floats() | st.integers(),
}
likely = st.fixed_dictionaries({}, optional=fields).map(lambda value: json.dumps(value).encode())
payloads = st.binary(max_size=200) | likely | json_values.map(lambda value: json.dumps(value).encode())
KINDS = [Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT, Kind.EVENT, Kind.REPLY]
messages = st.lists(st.tuples(st.sampled_from(KINDS), payloads, st.booleans()), min_size=15, max_size=40)


class Laboratory:
    """One broker, store and door for every example."""

    def __init__(self, runner: asyncio.Runner, door: Door, laptop: Peer) -> None:
        self.runner = runner
        self.door = door
        self.laptop = laptop
        self.life = 0

    async def feed(self, said: list[tuple[Kind, bytes, bool]]) -> None:
        for kind, payload, retain in said:
            await self.laptop.say(kind, payload, retain=retain)

    async def settle_one(self) -> None:
        self.life += 1
        await arrive(self.door, self.laptop, boot_id=f"life-{self.life}")
        row = await self.door.submit(a_request("path_info", arguments={"path": "x"}))
        assert row.status == Status.QUEUED, row.reasons
        await self.laptop.say(Kind.REPLY, a_reply(row.id))
        await self.door.until_status(row.id, Status.SUCCEEDED)


@pytest.fixture
def laboratory(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Hypothesis runs examples in a plain function, so the loop is kept beside it."""
    with asyncio.Runner() as runner:
        store = Store(database_url)
        store.open()
        closing = asyncio.Event()
        ready: asyncio.Future[tuple[Door, Peer]] = runner.get_loop().create_future()

        async def stand() -> None:
            folder = tmp_path_factory.mktemp("broker")
            async with (
                running_broker(folder) as broker,
                opened(broker, store) as door,
                device(door) as laptop,
            ):
                await arrive(door, laptop)
                ready.set_result((door, laptop))
                await closing.wait()

        async def begin() -> asyncio.Task[None]:
            standing = asyncio.create_task(stand())
            await asyncio.wait((standing, ready), return_when=asyncio.FIRST_COMPLETED)
            return standing

        async def end(standing: asyncio.Task[None]) -> None:
            closing.set()
            await standing

        standing = runner.run(begin())
        try:
            yield Laboratory(runner, *ready.result())
        finally:
            runner.run(end(standing))
            store.close()


def test_a_real_command_is_settled_whatever_came_before(laboratory: Laboratory) -> None:
    @given(messages)
    @settings(max_examples=30, deadline=None)
    def whatever(said: list[tuple[Kind, bytes, bool]]) -> None:
        laboratory.runner.run(laboratory.feed(said))
        laboratory.runner.run(laboratory.settle_one())

    whatever()

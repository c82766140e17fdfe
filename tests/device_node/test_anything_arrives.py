"""Whatever arrives on a device's topics, the node goes on answering."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.topics import Kind
from tests.broker.running import running_broker
from tests.device_node.harness import (
    DEVICE,
    ControllerSide,
    a_cancel,
    a_command,
    controlling,
    node,
    settings_for,
)

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [*a_command(), "command_id", "at", "events", "replies", "refused", "dry_run", "approval_id"]


@st.composite
def nearly_right(draw: st.DrawFn) -> bytes:
    """A command or cancel with some fields replaced, left out or added."""
    message: dict[str, Any] = draw(
        st.sampled_from([a_command(), a_cancel("x"), {"at": "2026-02-12T10:30:05.120Z"}])
    )
    message = {**message, **draw(st.dictionaries(st.sampled_from(FIELDS), Json, max_size=3))}
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
        message.pop(field, None)
    return json.dumps(message).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, ControllerSide]]:
    """One broker and one node for all examples, on a loop of their own."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def start() -> ControllerSide:
            broker = await stack.enter_async_context(running_broker(tmp_path_factory.mktemp("broker")))
            endpoint = await broker.add_device(DEVICE)
            side = await stack.enter_async_context(controlling(broker))
            await stack.enter_async_context(node(settings_for(endpoint, tmp_path_factory.mktemp("node"))))
            await side.next("presence")
            return side

        side = runner.run(start())
        yield runner, side
        runner.run(stack.aclose())
    asyncio.set_event_loop(None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from([Kind.COMMAND, Kind.CANCEL, Kind.ACK]),
    payload=st.binary(max_size=200)
    | Json.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    | nearly_right(),
    retain=st.booleans(),
)
def test_node_survives_anything(
    line: tuple[asyncio.Runner, ControllerSide], *, kind: Kind, payload: bytes, retain: bool
) -> None:
    runner, side = line

    async def answered_after() -> str:
        await side.send(kind, payload, retain=retain)
        status: str = (await side.ask(a_command()))["status"]
        return status

    assert runner.run(answered_after()) == "succeeded"

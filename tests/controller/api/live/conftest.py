"""The API on real sockets, and whoever watches there."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.api import app
from tests.controller.api.conftest import Api
from tests.controller.api.live.watching import Stand


@pytest.fixture
async def stand(api: Api) -> AsyncIterator[Stand]:
    """The server as the controller runs it, with its stream looked after."""
    listener = app.bind("127.0.0.1", 0)
    app.listen(listener)
    server = app.Server(api.app)
    live = api.app.state.parts.live
    working = [asyncio.create_task(live.run()), asyncio.create_task(server.serve(sockets=[listener]))]
    yield Stand(api, live, server, listener.getsockname()[1])
    live.close()
    server.should_exit = True
    working[0].cancel()
    await asyncio.wait(working)
    listener.close()

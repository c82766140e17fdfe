"""What the tests of WebSockets have in common."""

import httpx
import pytest
import websockets

from tests.controller.api.live.watching import Stand

LARGE = {"text": "x" * 100_000}


async def unauthorized(stand: Stand, query: str = "", **headers: str) -> httpx.Response:
    """The answer to an upgrade that is refused before anything is a WebSocket."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(f"{stand.ws_url}{query}", additional_headers=headers, proxy=None):
            pass
    answer = refused.value.response
    return httpx.Response(
        answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body)
    )

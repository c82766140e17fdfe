"""A provider in front of a scripted server, for the tests of the Ollama adapter."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.assistant.providers.ollama import Limits, Ollama, OllamaConfig
from controller.assistant.providers.provider import ChatMessage, ToolSpec
from controller.errors import ProviderError
from tests import fakes

HELLO = [ChatMessage("system", "Be brief."), ChatMessage("user", "hallo")]
NEVER = 3600.0  # seconds; a limit that no test reaches
TURNS = 20  # of the loop, in which it closes the generators that httpx leaves half read
PATIENCE = 30.0  # seconds; a test that waits as long has failed
AT_ONCE = 0.05  # seconds; a limit that is reached for certain, because the server waits for ever
NESTED = json.loads("[" * 100 + "]" * 100)
MAKE = ToolSpec(
    "create_directory",
    "Makes a folder.",
    {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Where."},
            "device_id": {"type": "string", "enum": ["laptop"], "description": "Which device."},
        },
        "required": ["path", "device_id"],
    },
)


def a_config(url: str, **limits: Any) -> OllamaConfig:
    chosen = {"first_token": NEVER, "between_tokens": NEVER, "whole": NEVER, "pause": 0.0, **limits}
    return OllamaConfig(fakes.MODEL, url, num_ctx=4096, limits=Limits(**chosen))


@asynccontextmanager
async def opened(config: OllamaConfig) -> AsyncIterator[Ollama]:
    provider = Ollama(config)
    try:
        yield provider
    finally:
        await provider.close()
        for _ in range(TURNS):
            await asyncio.sleep(0)


@asynccontextmanager
async def played(*replies: fakes.Reply, **limits: Any) -> AsyncIterator[tuple[Ollama, fakes.ScriptedOllama]]:
    with fakes.ScriptedOllama(*replies) as server:
        async with opened(a_config(server.url, **limits)) as provider:
            yield provider, server


async def failure(*replies: fakes.Reply, **limits: Any) -> tuple[ProviderError, int]:
    """The error of one request, and how often it was tried."""
    async with played(*replies, **limits) as (provider, server):
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ProviderError) as caught:
                await provider.complete(HELLO, [MAKE])
        return caught.value, len(server.chats)

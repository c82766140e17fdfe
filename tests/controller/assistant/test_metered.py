"""What the model was asked is counted by how it went, and nothing of it is changed."""

import asyncio
from contextlib import aclosing

import pytest

from controller.assistant.providers.metered import Metered
from controller.assistant.providers.ollama import Ollama, OllamaConfig
from controller.assistant.providers.provider import ChatMessage
from controller.errors import ProviderError
from controller.instruments import Instruments, Standing
from tests import fakes
from tests.scraped import scraped, value

HELLO = [ChatMessage("user", "hello")]


async def test_each_request_is_counted_by_its_outcome() -> None:
    instruments = Instruments()
    with fakes.ScriptedOllama(fakes.says("one"), fakes.says("two words"), fakes.refuses(400, "no")) as ollama:
        provider = Metered(Ollama(OllamaConfig(fakes.MODEL, ollama.url)), instruments)
        try:
            assert (await provider.complete(HELLO, [])).message.content == "one"
            async with aclosing(provider.stream(HELLO, [])) as pieces:
                await anext(pieces)  # and then nobody listens any more
            with pytest.raises(ProviderError):
                await provider.complete(HELLO, [])
        finally:
            await provider.close()
    samples = scraped((await asyncio.to_thread(instruments.render, Standing())).decode())

    for outcome in ("answered", "given_up", "failed"):
        assert value(samples, "llm_requests_total", outcome=outcome) == 1
        assert value(samples, "llm_duration_seconds_count", outcome=outcome) == 1

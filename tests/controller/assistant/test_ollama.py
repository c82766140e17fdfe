"""The Ollama adapter, through the real client, against a server that plays a script."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from controller.assistant.providers.ollama import Ollama, OllamaConfig
from controller.assistant.providers.provider import (
    ChatMessage,
    Completed,
    Piece,
    TextDelta,
    ThinkingDelta,
    ToolCall,
)
from controller.errors import ProviderError
from tests import fakes
from tests.controller.assistant.scripted import (
    AT_ONCE,
    HELLO,
    MAKE,
    a_config,
    opened,
    played,
)


async def test_text_flows_and_ends_with_the_whole_reply() -> None:
    async with played(fakes.says("Het is klaar.", thinking="hm")) as (provider, _):
        pieces: list[Piece] = [piece async for piece in provider.stream(HELLO, [])]

    assert pieces[:4] == [
        ThinkingDelta("hm"),
        TextDelta("Het"),
        TextDelta(" is"),
        TextDelta(" klaar."),
    ]
    end = pieces[-1]
    assert isinstance(end, Completed)
    assert end.message == ChatMessage("assistant", "Het is klaar.", thinking="hm")
    assert (end.done_reason, end.prompt_tokens, end.completion_tokens) == ("stop", 26, 7)


@pytest.mark.parametrize("where", ["own_line", "last_line"])
async def test_tool_calls_count_in_both_stream_forms(where: Any) -> None:
    wanted = [("create_directory", {"path": "A", "device_id": "laptop"}), ("list_devices", {})]
    async with played(fakes.calls(*wanted, where=where)) as (provider, _):
        reply = await provider.complete(HELLO, [MAKE])

    made = reply.message.tool_calls
    assert [(call.name, call.arguments) for call in made] == wanted
    assert all(call.id for call in made)
    assert made[0].id != made[1].id


async def test_arguments_as_text_count_where_they_are_a_whole_object() -> None:
    async with played(fakes.calls(("create_directory", '{"path": "A"}'))) as (provider, _):
        reply = await provider.complete(HELLO, [MAKE])

    assert reply.message.tool_calls[0].arguments == {"path": "A"}


async def test_an_unknown_tool_is_left_to_the_caller() -> None:
    async with played(fakes.calls(("format_disk", {"really": True}))) as (provider, _):
        reply = await provider.complete(HELLO, [MAKE])

    assert reply.message.tool_calls[0].name == "format_disk"


async def test_the_server_gets_context_size_tools_and_the_thinking_of_before() -> None:
    earlier = ToolCall("call-1", "create_directory", {"path": "A"})
    messages = [
        *HELLO,
        ChatMessage("assistant", thinking="a folder", tool_calls=(earlier,)),
        ChatMessage("tool", '{"ok":true}', tool_name="create_directory", tool_call_id="call-1"),
    ]
    async with played(fakes.says("klaar")) as (provider, server):
        await provider.complete(messages, [MAKE])

    sent = server.chats[0]
    assert sent["options"] == {"num_ctx": 4096, "num_predict": 1024}
    assert sent["stream"] is True
    assert sent["messages"][2] == {
        "role": "assistant",
        "thinking": "a folder",
        "tool_calls": [{"function": {"name": "create_directory", "arguments": {"path": "A"}}}],
    }
    assert sent["messages"][3] == {
        "role": "tool",
        "content": '{"ok":true}',
        "tool_name": "create_directory",
    }
    assert sent["tools"][0]["function"]["parameters"] == MAKE.parameters


async def test_a_failure_after_output_is_not_repeated() -> None:
    cut = fakes.plays(fakes.line("I will"), ending="cut")
    async with (
        played(cut, fakes.says("again")) as (provider, server),
        aclosing(provider.stream(HELLO, [])) as pieces,
    ):
        assert await anext(pieces) == TextDelta("I will")
        with pytest.raises(ProviderError):
            await anext(pieces)

    assert len(server.chats) == 1


async def test_a_failure_before_output_is_repeated() -> None:
    replies = [fakes.refuses(503, "server busy"), fakes.plays(ending="cut"), fakes.says("ja")]
    async with played(*replies) as (provider, server):
        reply = await provider.complete(HELLO, [])

    assert reply.message.content == "ja"
    assert len(server.chats) == 3


async def test_a_call_in_a_cut_stream_is_never_handed_out() -> None:
    cut = fakes.plays(fakes.line(tool_calls=[fakes.call("create_directory", {"path": "A"})]), ending="cut")
    async with played(cut, fakes.says("nothing to do")) as (provider, _):
        reply = await provider.complete(HELLO, [MAKE])

    assert reply.message.tool_calls == ()


async def test_no_server_is_an_error_with_its_remedy() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with opened(a_config(url)) as provider:
            with pytest.raises(ProviderError, match="ollama serve"):
                await provider.complete(HELLO, [])
            assert not await provider.available()
            assert "ollama serve" in (await provider.trouble() or "")


async def test_a_cancelled_turn_closes_its_connection() -> None:
    async with played(fakes.plays(fakes.line("I"), ending="hang")) as (provider, _):
        pieces = provider.stream(HELLO, [])
        assert await anext(pieces) == TextDelta("I")
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await pieces.aclose()


async def test_a_history_that_does_not_fit_is_shortened_and_says_so() -> None:
    long = [ChatMessage("user", "x" * 6000), ChatMessage("assistant", "y" * 6000)]
    async with played(fakes.says("ja")) as (provider, server):
        reply = await provider.complete([HELLO[0], *long, HELLO[1]], [MAKE])

    assert reply.dropped_messages == 2
    assert [message["role"] for message in server.chats[0]["messages"]] == ["system", "user"]


async def test_a_turn_that_does_not_fit_is_not_sent() -> None:
    async with played(fakes.says("ja")) as (provider, server):
        with pytest.raises(ProviderError, match="num_ctx"):
            await provider.complete([*HELLO, ChatMessage("user", "x" * 20_000)], [MAKE])

    assert server.chats == []


@pytest.mark.parametrize(
    ("models", "has_list", "configured", "expected"),
    [
        ((fakes.MODEL,), True, fakes.MODEL, True),
        ((fakes.MODEL,), True, "scripted", True),
        ((fakes.MODEL,), False, fakes.MODEL, True),
        (("another",), True, fakes.MODEL, False),
        ((), False, fakes.MODEL, False),
    ],
)
async def test_a_model_is_available_where_the_server_knows_it(
    models: tuple[str, ...], *, has_list: bool, configured: str, expected: bool
) -> None:
    with fakes.ScriptedOllama(models=models, has_list=has_list) as server:
        async with opened(OllamaConfig(configured, server.url)) as provider:
            assert await provider.available() is expected
            if not expected:
                assert f"ollama pull {configured}" in (await provider.trouble() or "")


async def test_availability_is_remembered_for_a_while() -> None:
    with fakes.ScriptedOllama() as server:
        async with opened(a_config(server.url)) as provider:
            assert await asyncio.gather(*(provider.available() for _ in range(5))) == [True] * 5
            assert len(server.asked) == 1
        async with opened(a_config(server.url, probe_kept=0.0)) as provider:
            await provider.available()
            await provider.available()
            assert len(server.asked) == 3


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address that takes connections and never reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_a_server_that_only_takes_connections_is_not_available(deaf: str) -> None:
    async with opened(a_config(deaf, probe=AT_ONCE)) as provider:
        assert not await provider.available()


@pytest.mark.parametrize(
    "host",
    [
        "http://[::",
        "::",
        "ftp://host",
        "http://host:port",
        "http://[::1]:99999",
        "http://\x00",
        "xn--\u2603.invalid",
    ],
)
def test_an_address_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ProviderError, match="no address"):
        Ollama(OllamaConfig("m", host))


@pytest.mark.parametrize(
    "text", ['"m" does not support thinking', "think value low is not supported for this model"]
)
async def test_a_model_that_cannot_think_is_no_longer_asked_to(text: str) -> None:
    replies = [fakes.refuses(400, text), fakes.says("ja"), fakes.says("nee")]
    with fakes.ScriptedOllama(*replies) as server:
        config = replace(a_config(server.url), think="low")
        async with opened(config) as provider:
            assert (await provider.complete(HELLO, [])).message.content == "ja"
            assert (await provider.complete(HELLO, [])).message.content == "nee"

    assert [chat.get("think") for chat in server.chats] == ["low", None, None]


@pytest.mark.parametrize("ending", ["clean", "cut", "hang"])
async def test_what_follows_the_end_marker_changes_nothing(ending: fakes.Ending) -> None:
    more = fakes.plays(fakes.last("ja"), fakes.line("nee"), {"error": "late"}, ending=ending)
    quiet = fakes.plays(fakes.last("ja"), ending=ending)
    async with played(more, quiet, after_end=AT_ONCE) as (provider, _):
        for _attempt in range(2):
            assert (await provider.complete(HELLO, [])).message.content == "ja"


async def test_a_conversation_goes_on_over_several_requests() -> None:
    def answer(body: dict[str, Any]) -> fakes.Scripted:
        return fakes.says(f"{len(body['messages'])} berichten")

    async with played(fakes.calls(("create_directory", {"path": "A"})), answer) as (provider, _):
        first = await provider.complete(HELLO, [MAKE])
        [called] = first.message.tool_calls
        shown = ChatMessage("tool", "{}", tool_name=called.name, tool_call_id=called.id)
        second = await provider.complete([*HELLO, first.message, shown], [MAKE])

    assert second.message.content == "4 berichten"


async def test_requests_side_by_side_do_not_disturb_each_other() -> None:
    def echo(body: dict[str, Any]) -> fakes.Scripted:
        return fakes.says(body["messages"][0]["content"])

    texts = [f"text {number}" for number in range(8)]
    replies = [reply for _ in texts for reply in (fakes.refuses(503, "server busy"), echo)]
    async with played(*replies, attempts=20) as (provider, _):
        done = await asyncio.gather(*(provider.complete([ChatMessage("user", text)], []) for text in texts))

    assert [reply.message.content for reply in done] == texts


async def test_texts_become_vectors() -> None:
    with fakes.ScriptedOllama() as server:
        config = OllamaConfig("m", server.url, embedding_model=fakes.MODEL)
        async with opened(config) as provider:
            assert await provider.embed(["a", "bcd"]) == [[1.0, 1.0], [3.0, 1.0]]
            server.vectors = [[1.0]]
            with pytest.raises(ProviderError, match="1 vectors for 2"):
                await provider.embed(["a", "b"])


async def test_without_an_embedding_model_embedding_is_refused() -> None:
    async with played() as (provider, _):
        with pytest.raises(ProviderError, match="No embedding model"):
            await provider.embed(["a"])

"""The Ollama adapter, through the real client, against a server that plays a script."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest

from controller.assistant.providers.ollama import Limits, Ollama, OllamaConfig
from controller.assistant.providers.ollama.door import Door
from controller.assistant.providers.provider import (
    ChatMessage,
    Completed,
    Piece,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolSpec,
)
from controller.errors import ProviderError
from tests import fakes

HELLO = [ChatMessage("system", "Be brief."), ChatMessage("user", "hallo")]
NEVER = 30.0  # seconds; a limit that a passing test does not reach
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


@asynccontextmanager
async def played(*replies: fakes.Reply, **limits: Any) -> AsyncIterator[tuple[Ollama, fakes.ScriptedOllama]]:
    with fakes.ScriptedOllama(*replies) as server:
        async with opened(a_config(server.url, **limits)) as provider:
            yield provider, server


async def failure(*replies: fakes.Reply, **limits: Any) -> tuple[ProviderError, int]:
    """The error of one request, and how often it was tried."""
    async with played(*replies, **limits) as (provider, server):
        with pytest.raises(ProviderError) as caught:
            await provider.complete(HELLO, [MAKE])
        return caught.value, len(server.chats)


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


@pytest.mark.parametrize(
    "arguments",
    ['{"path": "A', '"A"', "[1]", "", None, ["A"], 7, {"a": NESTED}, '{"a": NaN}', '{"a": 1e999}'],
)
async def test_arguments_that_are_no_whole_object_are_an_error(arguments: Any) -> None:
    error, tried = await failure(*[fakes.calls(("create_directory", arguments))] * 3)

    assert error.retryable
    assert tried == 3


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


@pytest.mark.parametrize("ending", ["cut", "silent_cut", "clean"])
async def test_a_stream_without_its_end_marker_is_an_error(ending: fakes.Ending) -> None:
    error, _ = await failure(*[fakes.plays(fakes.line("half"), ending=ending)] * 3)

    assert error.retryable
    assert "broke off" in str(error)


async def test_half_a_line_at_the_end_is_an_error() -> None:
    error, _ = await failure(fakes.plays(b'{"message": {"ro', ending="silent_cut"), attempts=1)

    assert error.retryable


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


@pytest.mark.parametrize(
    ("status", "text", "said", "retryable"),
    [
        (404, "model 'scripted:latest' not found", "ollama pull scripted:latest", False),
        (400, "scripted does not support tools", "cannot call tools", False),
        (500, "error parsing tool call: raw='{'", "tool call that cannot be read", True),
        (500, "CUDA error", "CUDA error", False),
        (503, "server busy, please try again", "busy", True),
        (502, "bad gateway", "502", True),
        (429, "weekly limit reached", "quota", False),
        (401, "unauthorized", "OLLAMA_API_KEY", False),
        (302, "elsewhere", "302", False),
        (400, {"message": "odd shape"}, "odd shape", False),
        (400, ["[1]"], "400", False),
    ],
)
async def test_a_refusal_is_translated(status: int, text: Any, said: str, *, retryable: bool) -> None:
    error, tried = await failure(*[fakes.refuses(status, text)] * 3)

    assert said in str(error)
    assert error.retryable is retryable
    assert tried == (3 if retryable else 1)


@pytest.mark.parametrize("body", [b"<html>502</html>", b"[]", b'"no"', b"", b"\xff\xfe", b"[" * 100_000])
async def test_a_refusal_in_any_form_is_one_error(body: bytes) -> None:
    error, _ = await failure(fakes.Scripted((body,), status=500))

    assert len(str(error)) < 500


@pytest.mark.parametrize("error_text", ["out of memory", {"message": "out of memory"}, ["out of memory"]])
async def test_an_error_inside_a_stream_ends_it(error_text: Any) -> None:
    error, tried = await failure(fakes.plays(fakes.line("I"), {"error": error_text}, fakes.last()))

    assert "out of memory" in str(error)
    assert tried == 1


async def test_terminal_escapes_in_a_servers_words_are_removed() -> None:
    error, _ = await failure(fakes.refuses(500, "\x1b[2J\u202egone"))

    assert "[2Jgone" in str(error)
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"no json\n",
        b"null\n",
        b"[]\n",
        b'"text"\n',
        b"7\n",
        b"{}\n",
        b'{"message": null, "done": true}\n',
        b'{"message": {"role": "assistant", "content": 7}, "done": true}\n',
        b'{"message": {"role": "assistant", "tool_calls": {"a": 1}}, "done": true}\n',
        b'{"message": {"role": "assistant", "tool_calls": [7]}, "done": true}\n',
        b'{"message": {"role": "assistant", "tool_calls": [{"function": {}}]}, "done": true}\n',
        b'{"message": {"role": "assistant", "tool_calls": [{"function": {"name": "", "arguments": {}}}]}}\n',
        b'{"message": "assistant", "done": true}\n',
        b"\xff\xfe\n",
        b"[" * 200_000 + b"\n",
        b'{"a": ' * 100_000 + b"\n",
    ],
)
async def test_nonsense_in_a_stream_is_one_retryable_error(nonsense: bytes) -> None:
    error, _ = await failure(fakes.plays(nonsense), attempts=1)

    assert error.retryable


async def test_blank_lines_and_lines_in_any_cut_are_read() -> None:
    whole = (
        b"\n\r\n"
        + json.dumps(fakes.line("één ")).encode()
        + b"\n\n"
        + json.dumps(fakes.last("twee")).encode()
    )
    halves = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    async with played(fakes.plays(*halves)) as (provider, _):
        reply = await provider.complete(HELLO, [])

    assert reply.message.content == "één twee"


async def test_line_separators_and_lone_surrogates_inside_text_do_no_harm() -> None:
    odd = json.dumps(fakes.line("a\u2028b\u2029c\x85d", thinking="\ud800"), ensure_ascii=False)
    async with played(
        fakes.plays(
            odd.encode("utf-8", "surrogatepass").replace(b"\xed\xa0\x80", b"\\ud800"), b"\n", fakes.last()
        )
    ) as (provider, _):
        reply = await provider.complete(HELLO, [])

    assert reply.message.content == "a\u2028b\u2029c\x85d"
    assert reply.message.thinking == "?"


async def test_a_model_that_never_stops_is_stopped() -> None:
    error, tried = await failure(fakes.plays(*[fakes.line("la " * 100)] * 50, fakes.last()), characters=1000)

    assert "did not stop" in str(error)
    assert tried == 1


async def test_an_endless_line_is_refused() -> None:
    error, _ = await failure(fakes.plays(*[b"x" * 100_000] * 20))

    assert "a line of more than" in str(error)


async def test_a_compressed_answer_is_refused() -> None:
    error, _ = await failure(fakes.plays(fakes.last(), headers=(("Content-Encoding", "gzip"),)))

    assert "compressed" in str(error)


@pytest.mark.parametrize(
    ("reply", "limit"),
    [
        (fakes.never_answers(), "first_token"),
        (fakes.plays(ending="hang"), "first_token"),
        (fakes.plays(fakes.line("I"), ending="hang"), "between_tokens"),
        (fakes.plays(fakes.line("I"), ending="hang"), "whole"),
        (fakes.plays(b"\n" * 100, ending="hang"), "whole"),
    ],
)
async def test_a_server_that_stops_answering_meets_a_deadline(reply: fakes.Scripted, limit: str) -> None:
    error, tried = await failure(reply, **{limit: AT_ONCE})

    assert "in time" in str(error)
    assert tried == 1


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


async def test_the_key_goes_to_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "key-of-somebody")
    async with played(fakes.says("ja")) as (provider, server):
        await provider.available()
        await provider.complete(HELLO, [])

    assert len(server.asked) == 2
    assert all("authorization" not in asked.headers for asked in server.asked)
    assert "key-of-somebody" not in repr(server.asked)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ollama.com/api/chat", True),
        ("https://ollama.com:443/api/chat", True),
        ("http://ollama.com/api/chat", False),
        ("https://ollama.com.example.org/api/chat", False),
        ("https://notollama.com/api/chat", False),
        ("https://ollama.com@example.org/api/chat", False),
    ],
)
async def test_only_the_keys_owner_gets_it_by_tls(url: str, *, kept: bool) -> None:
    request = httpx.Request("POST", url, headers={"Authorization": "Bearer x"})
    await Door("h", "m").leave(request)

    assert ("Authorization" in request.headers) is kept


async def test_a_password_in_the_address_is_never_repeated() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with opened(a_config(f"http://jan:geheim@127.0.0.1:{free.getsockname()[1]}")) as provider:
            assert "geheim" not in (await provider.trouble() or "geheim")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ProviderError, match="no address"):
        Ollama(OllamaConfig("m", "http://[::"))


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

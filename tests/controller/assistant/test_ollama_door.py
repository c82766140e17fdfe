"""What comes in from an Ollama server, through the real client: the good as it is, the rest as one error."""

import json
import socket
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from controller.assistant.providers.ollama.door import Door
from controller.errors import ProviderError
from tests import fakes
from tests.controller.assistant.scripted import AT_ONCE, HELLO, NESTED, a_config, failure, opened, played

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "tool_calls", "function", "arguments", "done"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "arguments",
    ['{"path": "A', '"A"', "[1]", "", None, ["A"], 7, {"a": NESTED}, '{"a": NaN}', '{"a": 1e999}'],
)
async def test_arguments_that_are_no_whole_object_are_an_error(arguments: Any) -> None:
    error, tried = await failure(*[fakes.calls(("create_directory", arguments))] * 3)

    assert error.retryable
    assert tried == 3


@pytest.mark.parametrize("ending", ["cut", "silent_cut", "clean"])
async def test_a_stream_without_its_end_marker_is_an_error(ending: fakes.Ending) -> None:
    error, _ = await failure(*[fakes.plays(fakes.line("half"), ending=ending)] * 3)

    assert error.retryable
    assert "broke off" in str(error)


async def test_half_a_line_at_the_end_is_an_error() -> None:
    error, _ = await failure(fakes.plays(b'{"message": {"ro', ending="silent_cut"), attempts=1)

    assert error.retryable


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


async def test_the_key_goes_to_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "key-of-somebody")
    async with played(fakes.says("ja")) as (provider, server):
        await provider.available()
        await provider.complete(HELLO, [])

    assert len(server.asked) == 2
    assert all("authorization" not in asked.headers for asked in server.asked)
    assert "key-of-somebody" not in repr(server.asked)


async def test_a_configured_key_goes_to_no_other_host_either() -> None:
    with fakes.ScriptedOllama(fakes.says("ja")) as server:
        config = replace(a_config(server.url), api_key=SecretStr("key-of-somebody"))
        async with opened(config) as provider:
            await provider.complete(HELLO, [])

    assert "authorization" not in server.asked[0].headers
    assert "key-of-somebody" not in repr(config)


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


@given(st.binary() | st.text().map(str.encode) | st.builds(lambda value: json.dumps(value).encode(), JSON))
def test_any_line_is_an_object_or_an_error(line: bytes) -> None:
    door = Door("host", "model")
    try:
        checked = door.checked(line)
    except ProviderError:
        return
    assert isinstance(json.loads(checked), dict)
    assert len(checked.decode().splitlines()) == 1

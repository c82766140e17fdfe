"""What holds for every provider: the fold of a stream, and what fits into a context."""

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.assistant.providers import context
from controller.assistant.providers.provider import (
    ChatMessage,
    Completed,
    Piece,
    TextDelta,
    ToolCall,
    ToolSpec,
    fold,
)
from controller.errors import ProviderError

SYSTEM = ChatMessage("system", "rules " * 20)
NOW = ChatMessage("user", "and now this")
TOOL = ToolSpec("list_devices", "Lists devices.", {"type": "object", "properties": {}})


def an_exchange(words: int) -> list[ChatMessage]:
    called = ToolCall("1", "list_devices", {})
    return [
        ChatMessage("user", "word " * words),
        ChatMessage("assistant", tool_calls=(called,)),
        ChatMessage("tool", "{}", tool_name="list_devices", tool_call_id="1"),
        ChatMessage("assistant", "done"),
    ]


async def streamed(*pieces: Piece) -> AsyncGenerator[Piece, None]:
    for piece in pieces:
        yield piece


async def test_a_reply_is_the_end_of_its_stream() -> None:
    end = Completed(ChatMessage("assistant", "ja"), "stop")

    assert await fold(streamed(TextDelta("ja"), end)) == end


@pytest.mark.parametrize("pieces", [(), (TextDelta("ja"),)])
async def test_a_stream_without_its_end_is_an_error(pieces: tuple[Piece, ...]) -> None:
    with pytest.raises(ProviderError) as caught:
        await fold(streamed(*pieces))

    assert caught.value.retryable


def test_what_fits_is_sent_as_it_is() -> None:
    messages = [SYSTEM, *an_exchange(5), NOW]

    assert context.fit(messages, [TOOL], room=1000) == (messages, 0)


def test_the_oldest_exchange_goes_first_and_whole() -> None:
    newer = an_exchange(5)
    messages = [SYSTEM, *an_exchange(300), *newer, NOW]

    assert context.fit(messages, [TOOL], room=400) == ([SYSTEM, *newer, NOW], 4)


def test_the_results_of_this_turn_stay() -> None:
    turn = an_exchange(20)
    messages = [SYSTEM, *an_exchange(300), *turn]

    assert context.fit(messages, [TOOL], room=400) == ([SYSTEM, *turn], 4)


def test_nothing_newer_is_skipped_to_keep_something_older() -> None:
    messages = [SYSTEM, *an_exchange(1), *an_exchange(500), NOW]

    assert context.fit(messages, [TOOL], room=400) == ([SYSTEM, NOW], 8)


def test_tools_are_never_cut() -> None:
    long = ToolSpec("a", "x" * 3000, {"type": "object", "properties": {}})

    with pytest.raises(ProviderError, match="num_ctx") as caught:
        context.fit([SYSTEM, NOW], [long], room=500)
    assert not caught.value.retryable


def test_a_turn_without_a_user_is_kept_whole() -> None:
    event = [SYSTEM, ChatMessage("tool", "{}", tool_name="event")]

    assert context.fit(event, [], room=200) == (event, 0)


@given(st.lists(st.integers(1, 200), max_size=8), st.integers(100, 2000))
def test_what_is_sent_fits_and_starts_with_the_user(lengths: list[int], room: int) -> None:
    history = [message for words in lengths for message in an_exchange(words)]
    kept, dropped = context.fit([SYSTEM, *history, NOW], [TOOL], room=room)

    assert context.estimate(kept, [TOOL]) <= room
    assert len(kept) + dropped == len(history) + 2
    assert kept[0] == SYSTEM
    assert kept[1].role == "user"
    assert kept[-1] == NOW

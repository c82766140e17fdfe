"""What fits into a model's context, decided here and not by the server.

A server drops older messages silently; here the oldest exchanges go first, whole
and counted, and what cannot go (instructions, tools, the turn itself) never does.
"""

import json
from collections.abc import Sequence

from controller.assistant.providers.provider import ChatMessage, ToolSpec
from controller.errors import ProviderError

BYTES_PER_TOKEN = 3  # English has about 4, Dutch and JSON about 3: the careful side
MESSAGE_OVERHEAD = 8  # tokens; role markers and separators


def estimate(messages: Sequence[ChatMessage], tools: Sequence[ToolSpec] = ()) -> int:
    """About how many tokens a prompt takes; rather too many than too few."""
    return sum(_message_tokens(message) for message in messages) + sum(
        _tokens(tool.name, tool.description, json.dumps(tool.parameters)) for tool in tools
    )


def fit(
    messages: Sequence[ChatMessage], tools: Sequence[ToolSpec], *, room: int
) -> tuple[list[ChatMessage], int]:
    """The messages to send, and how many of the history were left out.

    Raises:
        ProviderError: instructions, tools and the turn itself are too long.
    """
    instructions, history, turn = _parts(messages)
    fixed = estimate([*instructions, *turn], tools)
    if fixed > room:
        raise ProviderError(
            f"The prompt takes about {fixed} tokens and the model's context leaves room for {room}; "
            "set a larger num_ctx, or ask for less at once."
        )
    kept: list[ChatMessage] = []
    for exchange in reversed(history):
        fixed += estimate(exchange)
        if fixed > room:
            break
        kept[:0] = exchange
    dropped = sum(len(exchange) for exchange in history) - len(kept)
    return [*instructions, *kept, *turn], dropped


def _parts(
    messages: Sequence[ChatMessage],
) -> tuple[list[ChatMessage], list[list[ChatMessage]], list[ChatMessage]]:
    # an exchange begins with the user's words: dropped whole, so that no tool result loses its call
    begin = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    exchanges: list[list[ChatMessage]] = []
    for message in messages[begin:]:
        if message.role == "user" or not exchanges:
            exchanges.append([])
        exchanges[-1].append(message)
    turn = exchanges.pop() if exchanges else []
    return list(messages[:begin]), exchanges, turn


def _message_tokens(message: ChatMessage) -> int:
    calls = (text for call in message.tool_calls for text in (call.name, json.dumps(call.arguments)))
    return MESSAGE_OVERHEAD + _tokens(message.content, message.thinking, message.tool_name, *calls)


def _tokens(*texts: str) -> int:
    return -(-sum(len(text.encode("utf-8", "replace")) for text in texts) // BYTES_PER_TOKEN)

"""Our messages as Ollama writes them, and its replies as ours.

The one rule: nothing counts before it is whole. Text flows as it comes; calls are
collected and leave only with the end marker.
"""

from collections.abc import Iterator
from typing import Any

import ollama

from controller.assistant.providers.provider import (
    ChatMessage,
    Completed,
    Delta,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolSpec,
)
from controller.errors import ProviderError
from schemas.ids import new_id


def message_out(message: ChatMessage) -> dict[str, Any]:
    """One message for the client, which leaves out what is empty."""
    return {
        "role": message.role,
        "content": message.content,
        "thinking": message.thinking,
        "tool_name": message.tool_name,
        "tool_calls": [
            {"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ],
    }


def tool_out(tool: ToolSpec) -> dict[str, Any]:
    """One tool for the client, which keeps `type, items, description, enum` of each parameter."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


class Reply:
    """A reply growing line by line."""

    def __init__(self, *, characters: int) -> None:
        self._characters_left = characters
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[ToolCall] = []

    def add(self, part: ollama.ChatResponse) -> Iterator[Delta]:
        """Take one line in.

        Raises:
            ProviderError: the reply grew over its limit, or holds an unusable call.
        """
        thinking, content = part.message.thinking or "", part.message.content or ""
        self._characters_left -= len(thinking) + len(content)
        if self._characters_left < 0:
            raise ProviderError("The model did not stop talking; its reply was cut off and is not used.")
        for call in part.message.tool_calls or ():
            if not call.function.name:
                raise ProviderError("The model called a tool without a name.", retryable=True)
            # the wire has no ids worth keeping: the client drops them
            self._calls.append(ToolCall(new_id(), call.function.name, dict(call.function.arguments)))
        if thinking:
            self._thinking.append(thinking)
            yield ThinkingDelta(thinking)
        if content:
            self._content.append(content)
            yield TextDelta(content)

    def completed(self, end: ollama.ChatResponse) -> Completed:
        """The whole of it, once the end marker has come."""
        message = ChatMessage(
            "assistant",
            content="".join(self._content),
            thinking="".join(self._thinking),
            tool_calls=tuple(self._calls),
        )
        return Completed(
            message,
            done_reason=end.done_reason or "",
            prompt_tokens=end.prompt_eval_count or 0,
            completion_tokens=end.eval_count or 0,
        )

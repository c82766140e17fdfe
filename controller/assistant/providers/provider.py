"""What the assistant asks of a language model, whoever serves it.

The one rule: a reply exists only as `Completed`. A stream that ends without one
has failed, and whatever it said until then was no answer. Failures are
`controller.errors.ProviderError`, with `retryable`.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import JsonValue

from controller.errors import ProviderError

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call a model proposes. `id` is never empty; `arguments` is a complete object."""

    id: str
    name: str
    arguments: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation.

    An assistant's `thinking` goes back to the model with its tool calls. A tool
    result names its tool and the call that it answers.
    """

    role: Role
    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function as a model sees it: `parameters` is a flat JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of what the model thinks aloud, never empty; not part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The whole reply, always the last piece of a stream.

    `prompt_tokens` and `completion_tokens` are zero where the server does not
    count. `dropped_messages` is how many messages of the history were left out
    because they did not fit.
    """

    message: ChatMessage
    done_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dropped_messages: int = 0


Delta = TextDelta | ThinkingDelta
Piece = Delta | Completed


class Provider(Protocol):
    """One model behind one server."""

    @property
    def name(self) -> str:
        """`<provider>:<model>`, as answers and the audit say it."""

    async def trouble(self) -> str | None:
        """Why the model cannot be used now, with the remedy; None when it can. Never raises."""

    async def available(self) -> bool:
        """Whether `trouble` knows none."""

    def stream(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[Piece, None]:
        """The reply as it comes; the last piece is `Completed`.

        Who stops early closes the generator (`contextlib.aclosing`).

        Raises:
            ProviderError: no usable reply, or it did not end.
        """

    async def complete(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> Completed:
        """The reply at once; raises as `stream` does."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text.

        Raises:
            ProviderError: no embedding model is configured, or it gave no usable answer.
        """

    async def close(self) -> None:
        """Let go of connections."""


async def fold(pieces: AsyncGenerator[Piece, None]) -> Completed:
    """The end of a stream: `complete` of every provider.

    Raises:
        ProviderError: the stream failed, or ended without its end marker.
    """
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Completed):
                return piece
    raise ProviderError("The model's reply broke off before its end.", retryable=True)

"""A provider whose requests are counted and timed; it adds nothing else."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from controller.assistant.providers.provider import ChatMessage, Completed, Piece, Provider, ToolSpec, fold
from controller.errors import ProviderError
from controller.instruments import Instruments, Stopwatch

ANSWERED, FAILED, GIVEN_UP = "answered", "failed", "given_up"


class Metered:
    """One model behind one server, as it is."""

    def __init__(self, provider: Provider, instruments: Instruments) -> None:
        self._provider = provider
        self._instruments = instruments

    @property
    def name(self) -> str:
        return self._provider.name

    async def trouble(self) -> str | None:
        """Why the model cannot be used now; None when it can."""
        return await self._provider.trouble()

    async def available(self) -> bool:
        return await self._provider.available()

    async def stream(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[Piece, None]:
        watch, outcome = Stopwatch(), GIVEN_UP  # unless it comes to an end
        try:
            async with aclosing(self._provider.stream(messages, tools)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completed):
                        outcome = ANSWERED
                    yield piece
        except ProviderError:
            outcome = FAILED
            raise
        finally:
            self._instruments.thought(outcome, watch.seconds)

    async def complete(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> Completed:
        return await fold(self.stream(messages, tools))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._provider.embed(texts)

    async def close(self) -> None:
        await self._provider.close()

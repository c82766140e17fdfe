"""A provider whose requests are counted and timed; it adds nothing else."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from time import time

from controller.assistant.providers.provider import ChatMessage, Completed, Piece, Provider, ToolSpec, fold
from controller.errors import ProviderError
from controller.instruments import ANSWERED, FAILED, GIVEN_UP, Instruments, Stopwatch
from schemas.spans import Spans


class Metered:
    """One model behind one server, as it is."""

    def __init__(self, provider: Provider, instruments: Instruments, spans: Spans | None = None) -> None:
        self._spans = spans or Spans()
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
        began_at = time()
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
            failed = outcome if outcome == FAILED else None
            self._spans.over("model", "client", began_at, failed=failed, model=self.name, outcome=outcome)

    async def complete(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> Completed:
        return await fold(self.stream(messages, tools))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._provider.embed(texts)

    async def close(self) -> None:
        await self._provider.close()

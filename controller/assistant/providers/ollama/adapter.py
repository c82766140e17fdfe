"""Ollama, through its own client: a local server or ollama.com.

The one rule: every wait has a deadline and every reply a size, set here, because
the client has neither; and a request is repeated only while nobody has seen output.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import httpx
import ollama
import tenacity
from pydantic import SecretStr, ValidationError

from controller.assistant import sanitize
from controller.assistant.providers import context
from controller.assistant.providers.ollama import messages as shapes
from controller.assistant.providers.ollama.door import CannotThink, Door
from controller.assistant.providers.provider import ChatMessage, Completed, Piece, ToolSpec, fold
from controller.errors import ProviderError
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)

DEFAULT_HOST = "http://127.0.0.1:11434"
NO_ADDRESS = "The configured Ollama host is no address such as http://127.0.0.1:11434."

_Begun = tuple[Piece, AsyncGenerator[Piece, None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how often and how much. Times are seconds."""

    probe: float = 2.0
    probe_kept: float = 15.0
    connect: float = 5.0
    first_token: float = 120.0  # a cold model is read from disk first
    between_tokens: float = 30.0
    after_end: float = 1.0  # from the end marker to the end of the body
    whole: float = 300.0  # all attempts together
    attempts: int = 3
    pause: float = 0.5  # at most, before the second attempt; doubles
    characters: int = 64_000  # of one reply, thinking included


@dataclass(frozen=True, slots=True)
class OllamaConfig:
    """Which model, where. `num_ctx` is tokens; a quarter of them is kept for the reply.

    `api_key` (else `$OLLAMA_API_KEY`) is sent to Ollama's own cloud only.
    """

    model: str
    host: str = DEFAULT_HOST
    num_ctx: int = 16_384
    think: bool | Literal["low", "medium", "high"] | None = None  # None: as the model likes
    embedding_model: str | None = None
    api_key: SecretStr | None = None
    limits: Limits = field(default_factory=Limits)


class Ollama:
    """The provider `ollama:<model>`. Building it opens no connection.

    Raises:
        ProviderError: the configured host is no address.
    """

    def __init__(self, config: OllamaConfig) -> None:
        self._config = config
        self._limits = config.limits
        self.name = f"ollama:{config.model}"
        host = _address(config.host or DEFAULT_HOST)
        self._door = Door(host.said, config.model)
        # asking for no compression makes a bound on bytes one on what they unpack to
        headers = {"Accept-Encoding": "identity"}
        if config.api_key is not None:
            headers["Authorization"] = f"Bearer {config.api_key.get_secret_value()}"
        try:
            self._client = ollama.AsyncClient(
                config.host or DEFAULT_HOST,
                follow_redirects=False,
                headers=headers,
                timeout=httpx.Timeout(None, connect=self._limits.connect),
                trust_env=not host.is_local,  # a proxy has no business between us and our own machine
                verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if host.is_plain else True,
                event_hooks={"request": [self._door.leave], "response": [self._door.enter]},
            )
        except (ValueError, httpx.InvalidURL) as error:
            raise ProviderError(NO_ADDRESS) from error
        self._retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._limits.attempts),
            wait=tenacity.wait_random_exponential(multiplier=self._limits.pause, max=5),
            retry=tenacity.retry_if_exception(_may_repeat),
            reraise=True,
        )
        self._think = config.think
        self._looking = asyncio.Lock()
        self._looked_at: float | None = None
        self._trouble: str | None = None

    async def available(self) -> bool:
        return await self.trouble() is None

    async def trouble(self) -> str | None:
        """Why the model cannot be used now; looked up at most every `probe_kept` seconds."""
        clock = asyncio.get_running_loop().time
        async with self._looking:
            if self._looked_at is None or clock() - self._looked_at >= self._limits.probe_kept:
                self._trouble = await self._look()
                self._looked_at = clock()
            return self._trouble

    async def stream(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[Piece, None]:
        reply_room = self._config.num_ctx // 4
        sent, dropped = context.fit(messages, tools, room=self._config.num_ctx - reply_room)
        if dropped:
            logger.info("Left %d older messages out of the prompt for %s", dropped, self.name)
        request: dict[str, Any] = {
            "model": self._config.model,
            "messages": [shapes.message_out(message) for message in sent],
            "tools": [shapes.tool_out(tool) for tool in tools],
            "think": self._think,
            "options": {"num_ctx": self._config.num_ctx, "num_predict": reply_room},
        }
        ends_at = asyncio.get_running_loop().time() + self._limits.whole
        # a copy each, because its state is not made for calls side by side
        begun: _Begun = await self._retrying.copy()(self._begin, request, ends_at)
        first, rest = begun
        async with aclosing(rest):
            yield _with_dropped(first, dropped)
            async for piece in rest:
                yield _with_dropped(piece, dropped)

    async def complete(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> Completed:
        return await fold(self.stream(messages, tools))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        model = self._config.embedding_model
        if model is None:
            raise ProviderError("No embedding model is configured.")
        with self._translated():
            async with asyncio.timeout(self._limits.first_token):
                answer = await self._client.embed(model=model, input=list(texts))
        if len(answer.embeddings) != len(texts):
            raise ProviderError(f"{model} gave {len(answer.embeddings)} vectors for {len(texts)} texts.")
        return [list(vector) for vector in answer.embeddings]

    async def close(self) -> None:
        client: Any = self._client  # whose close has no types
        await client.close()

    async def _begin(self, request: dict[str, Any], ends_at: float) -> _Begun:
        """One attempt, up to its first piece: until then nobody has seen output."""
        pieces = self._pieces(request, ends_at)
        try:
            return await anext(pieces), pieces
        except CannotThink:
            logger.info("%s does not think as configured; it is no longer asked to", self.name)
            request["think"] = self._think = None
            raise
        except BaseException:
            await pieces.aclose()
            raise

    async def _pieces(self, request: dict[str, Any], ends_at: float) -> AsyncGenerator[Piece, None]:
        reply = shapes.Reply(characters=self._limits.characters)
        parts = await self._client.chat(**request, stream=True)
        # an async generator, declared as a mere iterator; closing it closes the connection
        async with aclosing(cast(AsyncGenerator[ollama.ChatResponse, None], parts)) as lines:
            wait = self._limits.first_token
            while (part := await self._next(lines, wait, ends_at)) is not None:
                for delta in reply.add(part):
                    yield delta
                if part.done:
                    await self._finish(lines)
                    yield self._completed(reply, part)
                    return
                wait = self._limits.between_tokens
        raise ProviderError(f"The reply of {self._door.model} broke off before its end.", retryable=True)

    async def _next(
        self, lines: AsyncGenerator[ollama.ChatResponse, None], wait: float, ends_at: float
    ) -> ollama.ChatResponse | None:
        now = asyncio.get_running_loop().time()
        with self._translated():
            async with asyncio.timeout_at(min(now + wait, ends_at)):
                return await anext(lines, None)

    async def _finish(self, lines: AsyncGenerator[ollama.ChatResponse, None]) -> None:
        """Read to the end of the body: an exhausted stream leaves nothing open behind it."""
        ends_at = asyncio.get_running_loop().time() + self._limits.after_end
        with suppress(ProviderError):  # the reply is whole, whatever follows it
            while await self._next(lines, self._limits.after_end, ends_at) is not None:
                pass

    def _completed(self, reply: shapes.Reply, end: ollama.ChatResponse) -> Completed:
        done = reply.completed(end)
        if done.prompt_tokens >= self._config.num_ctx - 1:
            logger.warning("%s used its whole context of %d tokens", self.name, self._config.num_ctx)
        return done

    async def _look(self) -> str | None:
        try:
            with self._translated():
                async with asyncio.timeout(self._limits.probe):
                    if not await self._is_listed():
                        await self._show()
        except ProviderError as error:
            return str(error)
        return None

    async def _is_listed(self) -> bool:
        try:
            listed = await self._client.list()
        except (ProviderError, ValueError):
            return False  # a gateway may serve the model and not the list
        names = {entry.model for entry in listed.models}
        return not names.isdisjoint({self._config.model, f"{self._config.model}:latest"})

    async def _show(self) -> None:
        """Raises: ProviderError where the server refuses, which it does for an unknown model."""
        try:
            await self._client.show(self._config.model)
        except ValidationError:
            logger.debug("Incomplete description of %s", self.name)  # described is there all the same

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Whatever the client and what lies below it raise, as one family."""
        host = self._door.host
        try:
            yield
        except TimeoutError as error:
            raise ProviderError(f"{host} did not answer in time.", code=ErrorCode.TIMEOUT) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
            raise ProviderError(
                f"No Ollama answers at {host}; start it with: ollama serve", retryable=True
            ) from error
        except httpx.HTTPError as error:
            raise ProviderError(f"The connection to {host} broke off.", retryable=True) from error
        except (ValueError, TypeError, AttributeError) as error:
            # the client reads answers without checking them first, and fails in these ways
            raise ProviderError(f"{host} sent something that cannot be read.", retryable=True) from error


def _may_repeat(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.retryable


def _with_dropped(piece: Piece, dropped: int) -> Piece:
    return replace(piece, dropped_messages=dropped) if isinstance(piece, Completed) else piece


@dataclass(frozen=True, slots=True)
class _Host:
    """Where the model is. `said`: as messages name it, never with a password; `is_plain`: nothing is encrypted."""

    said: str
    is_local: bool
    is_plain: bool  # then the system's certificates, which take long to read, are of no use


def _address(host: str) -> _Host:
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        name, _ = parts.hostname or "localhost", parts.port
    except ValueError as error:
        raise ProviderError(NO_ADDRESS) from error
    if parts.scheme not in ("http", "https"):
        raise ProviderError(NO_ADDRESS)
    try:
        address = ip_address(name)
    except ValueError:
        is_local = name == "localhost"
    else:
        is_local = address.is_loopback or address.is_unspecified
    said = sanitize.one_line(parts.netloc.rpartition("@")[2], 100) or name
    return _Host(said, is_local, is_plain=is_local and parts.scheme == "http")

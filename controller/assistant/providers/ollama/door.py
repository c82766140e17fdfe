"""The door to an Ollama server: what may leave and what may come in, as hooks of its HTTP client.

The one rule: past this door a line is a JSON object of bounded size whose tool
calls have complete arguments; everything else has become a `ProviderError`.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from pydantic import JsonValue

from controller.assistant import sanitize
from controller.errors import ProviderError
from schemas.errors import ErrorCode

KEY_HOST = "ollama.com"  # the only place that may see $OLLAMA_API_KEY
MAX_REPLY = 16 * 1024 * 1024  # bytes of one response
MAX_LINE = 1024 * 1024  # bytes
MAX_DEPTH = 32  # of a call's arguments
MAX_ERROR = 300  # characters of a server's own words that we repeat

# JSON leaves these as they are, the client's reader ends a line at each
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class CannotThink(ProviderError):
    """The model does not know the `think` that was asked for; without it the request may be repeated."""

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} does not think as configured; set think to nothing.", retryable=True)


@dataclass(frozen=True, slots=True)
class Door:
    """Checks of one server and model; their names are for error messages."""

    host: str
    model: str

    async def leave(self, request: httpx.Request) -> None:
        """Take the key off whatever does not go to its owner by TLS."""
        if request.url.scheme != "https" or request.url.host != KEY_HOST:
            request.headers.pop("Authorization", None)

    async def enter(self, response: httpx.Response) -> None:
        """Bound the response, and translate a refusal.

        Raises:
            ProviderError: the server refused, or answers in a form not asked for.
        """
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ProviderError(f"{self.host} sends compressed answers, which nobody asked for.")
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Bounded(response.stream)
        if response.status_code != httpx.codes.OK:
            await response.aread()
            raise self.refusal(_error_text(response.content), response.status_code)
        if response.request.url.path.endswith("/api/chat") and isinstance(
            response.stream, httpx.AsyncByteStream
        ):
            response.stream = _Lines(response.stream, self)

    def refusal(self, text: str, status: int = httpx.codes.OK) -> ProviderError:
        """What a server's error means here; `status` 200 for an error inside a stream."""
        said = sanitize.one_line(text, MAX_ERROR)
        folded = said.casefold()
        if "error parsing tool call" in folded:
            return ProviderError(f"{self.model} wrote a tool call that cannot be read.", retryable=True)
        if status == httpx.codes.NOT_FOUND or ("model" in folded and "not found" in folded):
            return ProviderError(
                f"{self.host} does not have the model {self.model}; get it with: ollama pull {self.model}",
                code=ErrorCode.NOT_FOUND,
            )
        if "does not support tools" in folded:
            return ProviderError(
                f"{self.model} cannot call tools; configure a model that can.", code=ErrorCode.NOT_SUPPORTED
            )
        if "does not support thinking" in folded or "think value" in folded:
            return CannotThink(self.model)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return ProviderError(f"{self.host} wants a valid key; set OLLAMA_API_KEY (for {KEY_HOST} only).")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return ProviderError(f"The quota at {self.host} is used up: {said}", code=ErrorCode.RATE_LIMITED)
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            return ProviderError(
                f"{self.host} is busy; try again in a moment.", retryable=True, code=ErrorCode.BUSY
            )
        gateway = status in (httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT)
        where = f"{self.host} answered {status}" if status != httpx.codes.OK else f"{self.host} failed"
        return ProviderError(f"{where}: {said}", retryable=gateway)

    def checked(self, line: bytes) -> bytes:
        """One line of a stream, as the client may read it.

        Raises:
            ProviderError: no JSON object, an error, or a call without complete arguments.
        """
        try:
            part = json.loads(line)
            if isinstance(part, dict):
                if part.get("error"):
                    raise self.refusal(_words(part["error"]))
                _complete_arguments(part)
                # NaN and infinity raise here; a lone surrogate, which could never be sent back, is replaced
                text = json.dumps(part, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
                return text.decode().translate(_LINE_ENDS).encode()
        except (ValueError, TypeError, RecursionError):
            pass  # said below, without the text: it may hold anything
        raise ProviderError(
            f"{self.model} on {self.host} sent something that cannot be read.", retryable=True
        )


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_REPLY
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise ProviderError(f"The model's server sent more than {MAX_REPLY} bytes.")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Lines(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, door: Door) -> None:
        self._stream = stream
        self._door = door

    async def __aiter__(self) -> AsyncIterator[bytes]:
        waiting = b""
        async for chunk in self._stream:
            *lines, waiting = (waiting + chunk).split(b"\n")
            if len(waiting) > MAX_LINE:
                raise ProviderError(f"The model's server sent a line of more than {MAX_LINE} bytes.")
            for line in lines:
                if line.strip():
                    yield self._door.checked(line) + b"\n"
        if waiting.strip():
            yield self._door.checked(waiting) + b"\n"

    async def aclose(self) -> None:
        await self._stream.aclose()


def _complete_arguments(part: dict[str, JsonValue]) -> None:
    """Some servers send arguments as text: what is a whole JSON object counts, nothing else does."""
    message = part.get("message")
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if not calls:
        return
    if not isinstance(calls, list):
        raise TypeError("tool_calls is no list")
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise TypeError("a tool call without a function")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            arguments = function["arguments"] = json.loads(arguments)
        if not isinstance(arguments, dict) or _is_deep(arguments, MAX_DEPTH):
            raise TypeError("arguments that are no plain object")


def _is_deep(value: JsonValue, left: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left == 0 or any(_is_deep(item, left - 1) for item in inside)


def _error_text(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body[: 4 * MAX_ERROR].decode("utf-8", "replace")
    return _words(answer.get("error", "") if isinstance(answer, dict) else answer)


def _words(error: JsonValue) -> str:
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return str(error["message"])
    return error if isinstance(error, str) else json.dumps(error)

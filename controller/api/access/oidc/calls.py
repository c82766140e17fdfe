"""Calls to an identity provider, which may be anybody: bounded in time and size, never redirected.

Nothing leaves without TLS but to this computer, and a provider with TLS names no address without it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic_core import from_json

from broker.addresses import is_loopback
from controller.api.access.elsewhere import ProviderAway

logger = logging.getLogger(__name__)

WITHIN = 10.0  # seconds, for all of one call
CONNECT_WITHIN = 5.0  # seconds
MAX_BODY = 256 * 1024  # bytes of one answer
OK, BAD_REQUEST, UNAUTHORIZED = 200, 400, 401


class Calls:
    """Asks one provider. Made off the event loop: it reads the system's authorities."""

    def __init__(self, issuer: str) -> None:
        self._is_encrypted = issuer.startswith("https:")
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            timeout=httpx.Timeout(WITHIN, connect=CONNECT_WITHIN),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "orion"},
            limits=httpx.Limits(max_connections=8),
        )

    async def get(self, url: str, *, token: str | None = None) -> dict[str, Any]:
        """Read an object.

        Raises:
            ProviderAway: it does not come, or is none.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        _, found = await self._call("GET", url, headers=headers)
        return found

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Send a form; the status and the object that is the answer, also where it is a refusal.

        Raises:
            ProviderAway: none comes.
        """
        return await self._call("POST", url, body=body, headers=headers)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def _call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        if not may_call(url, encrypted=self._is_encrypted):
            raise ProviderAway("it names an address without TLS")
        where = urlsplit(url).netloc
        try:
            async with (
                asyncio.timeout(WITHIN),
                self._client.stream(method, url, content=body, headers=dict(headers)) as response,
            ):
                return response.status_code, _object(response, await _body(response), where)
        except TimeoutError:
            raise _away("it did not answer in time", where) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _away("it cannot be reached", where, error) from error


def may_call(url: object, *, encrypted: bool) -> bool:
    """Whether an address may be called or shown: by TLS, or on this computer where the provider is there too."""
    if not isinstance(url, str) or not url.isascii() or any(letter.isspace() for letter in url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (
        not encrypted and parts.scheme == "http" and is_loopback(parts.hostname)
    )


async def _body(response: httpx.Response) -> bytes:
    read = bytearray()
    async for piece in response.aiter_raw():
        read += piece
        if len(read) > MAX_BODY:
            raise ProviderAway("it answers with far too much")
    return bytes(read)


def _object(response: httpx.Response, body: bytes, where: str) -> dict[str, Any]:
    is_refusal = response.request.method == "POST" and response.status_code in (BAD_REQUEST, UNAUTHORIZED)
    if response.status_code != OK and not is_refusal:
        raise _away(f"it answers with HTTP {response.status_code}", where)
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _away("it answers with what is no JSON", where) from error
    if not isinstance(found, dict):
        raise _away("it answers with what is no object", where)
    return found


def _away(why: str, where: str, error: Exception | None = None) -> ProviderAway:
    logger.warning("The identity provider at %s: %s%s", where, why, f" ({error!r})" if error else "")
    return ProviderAway(why)

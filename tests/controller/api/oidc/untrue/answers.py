"""Somebody who comes back with an answer that a test has made up."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.controller.api.oidc.conftest import CALLBACK, LOGIN, Door
from tests.controller.api.oidc.hostile import Hostile
from tests.provider import query_of

Claims = dict[str, Any]


async def signed_in(
    door: Door, provider: Hostile, make: Callable[[Claims], Any], **claims: Any
) -> httpx.Response:
    """What comes of a way back with this ID token."""
    async with door.browser() as browser:
        left = query_of((await browser.get(LOGIN)).headers["location"])
        now = int(time.time())
        said = {
            "iss": provider.issuer,
            "sub": "mia-there",
            "aud": "orion",
            "exp": now + 300,
            "iat": now,
            "nonce": left["nonce"],
        } | claims
        known = {name: value for name, value in said.items() if value is not ...}
        provider.token = {"access_token": "a token", "token_type": "Bearer", "id_token": make(known)}
        return await browser.get(
            CALLBACK, params={"code": "any", "state": left["state"], "iss": provider.issuer}
        )

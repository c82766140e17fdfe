"""The controller's proof that it knows its owner's token, and all that is no proof."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from controller.api import app
from controller.api.deps import Parts
from schemas import serverproof
from tests.controller.api.conftest import AS_DESCRIBED, Api
from tests.controller.api.wire.exchanging import asking, exchanged, status
from tests.controller.api.wire.exchanging import serving as on_a_port

NONCE = "n" * 43


async def as_stranger(api: Api, url: str, **query: str | Sequence[str]) -> httpx.Response:
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, event_hooks=AS_DESCRIBED) as stranger:
        return await stranger.get(url, params=query)


async def test_it_is_an_hmac_by_the_token_over_the_nonce_and_where_it_arrived(api: Api) -> None:
    answer = await as_stranger(api, "http://127.0.0.1:8180/api/v1/auth/proof", nonce=NONCE)

    text = f"orion controller proof 1\n{NONCE}\n127.0.0.1\n8180".encode()
    assert answer.json() == {"proof": hmac.new(api.token.encode(), text, hashlib.sha256).hexdigest()}
    assert api.token not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("nonce", "address", "port"),
    [
        ("m" * 43, "127.0.0.1", 8180),
        (NONCE, "127.0.0.1", 8181),
        (NONCE, "::1", 8180),
        (NONCE, "127.0.0.11", 818),
    ],
)
async def test_it_is_none_for_another_nonce_or_place(api: Api, nonce: str, address: str, port: int) -> None:
    shown = (await as_stranger(api, "http://127.0.0.1:8180/api/v1/auth/proof", nonce=NONCE)).json()["proof"]

    assert serverproof.fits(shown, api.token, NONCE, "127.0.0.1", 8180)
    assert not serverproof.fits(shown, api.token, nonce, address, port)
    assert not serverproof.fits(shown, api.token[::-1], NONCE, "127.0.0.1", 8180)


async def test_it_is_for_the_port_that_the_request_came_to_whatever_it_calls_itself(api: Api) -> None:
    async with on_a_port(api.app) as port:
        line = f"GET /api/v1/auth/proof?nonce={NONCE}"
        answer = await exchanged(port, asking(api, line, "X-Forwarded-Port: 1", host="localhost:1"))

    assert status(answer) == 200
    assert serverproof.made(api.token, NONCE, "127.0.0.1", port).encode() in answer


@pytest.mark.parametrize(
    "nonce",
    ["", "n" * 31, "n" * 65, "n" * 31 + "\n", "n" * 32 + "\n", "n" * 40 + "é", "n" * 40 + " ", "n" * 9_000],
)
async def test_what_is_no_nonce_is_refused(api: Api, nonce: str) -> None:
    answer = await as_stranger(api, "http://orion/api/v1/auth/proof", nonce=nonce)

    assert answer.status_code == 422, answer.text
    assert "proof" not in answer.json()


async def test_of_a_token_that_could_be_guessed_none_is_made(api: Api) -> None:
    parts: Parts = api.app.state.parts
    weak = app.build(replace(parts, token="x" * 31))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(weak), base_url="http://orion/api/v1/", event_hooks=AS_DESCRIBED
    ) as stranger:
        answer = await stranger.get("auth/proof", params={"nonce": NONCE})

    assert answer.status_code == 409
    assert "proof" not in answer.json()


async def test_whoever_asks_for_one_too_often_waits(api: Api) -> None:
    parts: Parts = api.app.state.parts
    few = parts.settings.model_copy(
        update={"api_rate": 0.001, "api_burst": 1}
    )  # ten times that of an address
    slow = app.build(replace(parts, settings=few))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(slow), base_url="http://orion/api/v1/", event_hooks=AS_DESCRIBED
    ) as stranger:
        answers = [await stranger.get("auth/proof", params={"nonce": NONCE}) for _ in range(11)]

    assert [each.status_code for each in answers] == [200] * 10 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0

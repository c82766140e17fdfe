"""What an identity provider, or somebody between, could be and say of itself."""

import json
import ssl
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from broker.certificates import authority, server
from controller.api.access.oidc import calls
from tests.controller.api.oidc import hostile as hostiles
from tests.controller.api.oidc.conftest import LOGIN, Door, Set
from tests.controller.api.oidc.hostile import KEY, UNKNOWN, Hostile, public, signed
from tests.controller.api.oidc.untrue.answers import Claims, signed_in


async def test_keys_that_are_weak_private_to_something_else_or_odd_are_left_out(
    door: Door, provider: Hostile
) -> None:
    encrypting = public(KEY) | {"use": "enc"}
    short = public(KEY) | {"n": "sXch", "kid": "short"}
    odd: list[Any] = [{"kty": "RSA"}, {"kty": "made up"}, {}, "key", None, {"kty": "oct", "k": "c2VjcmV0"}]
    provider.keys = [*odd, short, encrypting]

    left_out = await signed_in(door, provider, signed)
    door.clock.now += 30
    provider.keys = [*odd, short, public(KEY)]
    there = await signed_in(door, provider, signed)

    assert (left_out.status_code, there.status_code) == (403, 200)


async def test_made_up_names_of_keys_do_not_have_the_provider_asked_each_time(
    door: Door, provider: Hostile
) -> None:
    for number in range(5):
        key = RSAKey.import_key(UNKNOWN.as_dict(private=True) | {"kid": f"made up {number}"})
        await signed_in(door, provider, partial(signed, key=key))

    assert provider.asked.count("/jwks") == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://login.example/auth"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://user:password@login.example/"},
        {"authorization_endpoint": 1},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "ftp://127.0.0.1/"},
        {"jwks_uri": ""},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
        {"id_token_signing_alg_values_supported": "RS256"},
        {"id_token_signing_alg_values_supported": [["RS256"]]},
    ],
    ids=str,
)
async def test_a_provider_that_describes_itself_so_is_not_used(
    door: Door, provider: Hostile, metadata: Claims
) -> None:
    provider.metadata = metadata

    async with door.browser() as browser:
        answer = await browser.get(LOGIN)

    assert answer.status_code == 502
    assert "location" not in answer.headers
    assert set(provider.asked) == {"/.well-known/openid-configuration"}


DESCRIPTION, TOKEN, KEYS = "/.well-known/openid-configuration", "/token", "/jwks"


@pytest.mark.parametrize("path", [DESCRIPTION, TOKEN, KEYS])
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b" " * (calls.MAX_BODY + 1)],
    ids=["nothing", "a list", "a page", "no text", "depth", "no number", "far too much"],
)
async def test_an_answer_that_cannot_be_used_is_a_provider_that_is_away(
    door: Door, provider: Hostile, path: str, body: bytes
) -> None:
    provider.raw[path] = body

    answer = await tried(door, provider)

    assert answer.status_code == 502
    assert "cannot be used now" in answer.text


@pytest.mark.parametrize("path", [DESCRIPTION, TOKEN, KEYS])
@pytest.mark.parametrize("status", [302, 307, 404, 429, 500])
async def test_nobody_is_followed_to_another_address(
    door: Door, provider: Hostile, path: str, status: int
) -> None:
    provider.status[path] = status
    provider.headers["Location"] = f"{provider.issuer}/elsewhere"

    answer = await tried(door, provider)

    assert answer.status_code == 502
    assert "/elsewhere" not in provider.asked


@pytest.mark.parametrize("path", [DESCRIPTION, TOKEN, KEYS])
async def test_nobody_is_waited_for_longer_than_it_takes(
    door: Door, provider: Hostile, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "WITHIN", 0.2)
    provider.held = {path}

    answer = await tried(door, provider)

    assert answer.status_code == 502
    assert "in time" in answer.text


async def test_one_that_is_away_is_asked_seldom_and_used_again_when_it_is_back(
    door: Door, provider: Hostile
) -> None:
    provider.status[DESCRIPTION] = 500
    away = [await tried(door, provider) for _ in range(5)]
    asked = provider.asked.count(DESCRIPTION)
    del provider.status[DESCRIPTION]
    door.clock.now += 5.0
    back = await tried(door, provider)

    assert [answer.status_code for answer in away] == [502] * 5
    assert (asked, back.status_code) == (1, 200)


@pytest.mark.parametrize("refusal", [{"error": "invalid_grant"}, {"error": "<script>"}, {"error": 1}, {}])
async def test_a_refusal_of_the_code_is_no_way_in(door: Door, provider: Hostile, refusal: Claims) -> None:
    provider.status[TOKEN], provider.raw[TOKEN] = 400, json.dumps(refusal).encode()

    answer = await tried(door, provider)

    assert answer.status_code == 403
    assert "script" not in answer.text
    assert provider.asked.count(TOKEN) == 1


async def test_what_one_person_is_called_does_not_name_another(set_provider: Set, provider: Hostile) -> None:
    door = await set_provider(provider.issuer, new_users="viewer")
    provider.userinfo = {"sub": "somebody else", "preferred_username": "max"}

    answer = await signed_in(door, provider, signed, sub="new")

    assert answer.status_code == 403
    assert (await door.api.http.get("users")).json()["items"] == []


@pytest.mark.parametrize(
    "name",
    [
        "admin",
        "ADMIN",
        "system",
        "controller-main",
        "probe",
        "../x",
        "a b",
        "a\n",
        "",
        "x" * 64,
        1,
        None,
        ["x"],
    ],
)
async def test_nobody_new_gets_a_name_that_is_none_or_kept(
    set_provider: Set, provider: Hostile, name: object
) -> None:
    door = await set_provider(provider.issuer, new_users="viewer")

    answer = await signed_in(door, provider, signed, sub="new", preferred_username=name)

    assert answer.status_code == 403
    assert (await door.api.http.get("users")).json()["items"] == []


@pytest.mark.parametrize(
    ("url", "encrypted", "may"),
    [
        ("https://login.example/x", True, True),
        ("https://login.example/x", False, True),
        ("http://127.0.0.1:1/x", False, True),
        ("http://[::1]:1/x", False, True),
        ("http://127.0.0.1:1/x", True, False),  # a provider with TLS names nothing without it
        ("http://login.example/x", False, False),
        ("http://127.0.0.1.evil.example/", False, False),
        ("https://u:p@login.example/", True, False),
        ("https://login.example:port/", True, False),
        ("https://login.example/#x", True, False),
        ("https://login.example/ x", True, False),
        ("https:///x", True, False),
        ("//login.example/", True, False),
        (None, True, False),
    ],
)
def test_nothing_leaves_without_tls_but_to_this_computer(url: object, *, encrypted: bool, may: bool) -> None:
    assert calls.may_call(url, encrypted=encrypted) == may


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """How one listens with a certificate for this computer, and who has signed it."""
    with authority.locked(tmp_path):
        signer = authority.ensure(tmp_path, now=datetime.now(UTC))
        server.ensure(tmp_path, signer, ["127.0.0.1"], now=datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.path(tmp_path))
    return context, authority.public_path(tmp_path)


@pytest.mark.parametrize("trusted", [False, True])
async def test_by_tls_only_who_has_a_certificate_that_is_trusted_is_spoken_to(
    set_provider: Set,
    certified: tuple[ssl.SSLContext, Path],
    monkeypatch: pytest.MonkeyPatch,
    *,
    trusted: bool,
) -> None:
    context, signer = certified
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(signer))

    with hostiles.running(context) as provider:
        door = await set_provider(provider.issuer)
        async with door.browser() as browser:
            answer = await browser.get(LOGIN)

    assert answer.status_code == (303 if trusted else 502)
    assert bool(provider.asked) == trusted


async def tried(door: Door, provider: Hostile) -> httpx.Response:
    """How far a person comes who signs in rightly."""
    async with door.browser() as browser:
        away = await browser.get(LOGIN)
    if away.status_code != 303:
        return away
    return await signed_in(door, provider, signed)

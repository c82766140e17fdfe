"""What a token says of something else, or nobody has signed, is not believed."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.controller.api.oidc import hostile as hostiles
from tests.controller.api.oidc.conftest import Door, Set
from tests.controller.api.oidc.hostile import CURVE, KEY, OTHER, UNKNOWN, Hostile, public, signed
from tests.controller.api.oidc.untrue.answers import Claims, signed_in
from tests.controller.api.people import actions


async def test_the_truth_is_believed(door: Door, provider: Hostile) -> None:
    assert (await signed_in(door, provider, signed)).status_code == 200
    assert (await signed_in(door, provider, lambda said: signed(said, CURVE, "ES256"))).status_code == 200


LONG_AGO, MUCH_LATER = 1_000_000_000, 9_999_999_999


FALSE_CLAIMS: list[Claims] = [
    {"nonce": "another"},
    {"nonce": ...},
    {"nonce": None},
    {"nonce": ["x"]},
    {"aud": "another"},
    {"aud": ...},
    {"aud": []},
    {"aud": {"orion": 1}},
    {"aud": ["orion", "another"]},  # and nobody says to whom it was given
    {"aud": ["orion", "another"], "azp": "another"},
    {"azp": "another"},
    {"iss": "https://other.example"},
    {"iss": ...},
    {"iss": "http://127.0.0.1"},
    {"exp": LONG_AGO},
    {"exp": ...},
    {"exp": "9999999999"},
    {"exp": None},
    {"iat": ...},
    {"iat": MUCH_LATER},
    {"nbf": MUCH_LATER},
    {"sub": ...},
    {"sub": ""},
    {"sub": 1},
    {"sub": ["mia-there"]},
    {"sub": "x" * 256},
    {"sub": "mia-there\n"},
    {"sub": "MIA-THERE"},
    {"sub": "somebody else"},
    {"at_hash": "of another token"},
    {"at_hash": 1},
    {"at_hash": [1]},
    {"azp": 1},
    {"azp": ["orion"]},
    {"amr": "pwd"},
    {"auth_time": "now"},
    {"exp": 10**400, "nbf": 10**400},
]


@pytest.mark.parametrize("claims", FALSE_CLAIMS, ids=str)
async def test_what_is_said_of_something_else_is_not_believed(
    door: Door, provider: Hostile, claims: Claims
) -> None:
    answer = await signed_in(door, provider, signed, **claims)

    assert answer.status_code == 403, answer.text
    assert "user.signed_in" not in [action for action, _ in await actions(door.api)]


async def test_clocks_may_be_a_minute_apart_and_no_more(door: Door, provider: Hostile) -> None:
    near = await signed_in(door, provider, signed, exp=int(time.time()) - 50, iat=int(time.time()) + 50)
    far = await signed_in(door, provider, signed, exp=int(time.time()) - 70)

    assert (near.status_code, far.status_code) == (200, 403)


def unsigned(said: Claims, **header: Any) -> str:
    return hostiles.by_hand({"alg": "none", **header}, json.dumps(said).encode(), lambda _: b"")


def tampered(said: Claims) -> str:
    head, _, signature = signed(said | {"sub": "another"}).split(".")
    return f"{head}.{hostiles.letters(json.dumps(said).encode()).decode()}.{signature}"


def always(answer: Any) -> Callable[[Claims], Any]:
    return lambda _said: answer


FALSE_TOKENS: dict[str, Callable[[Claims], Any]] = {
    "signed by nobody": unsigned,
    "signed by nobody, with the name of a key": lambda said: unsigned(said, kid="known"),
    "none spelled otherwise": lambda said: unsigned(said, alg="nOnE"),
    "by the public key as a secret": hostiles.by_the_public_key,
    "another key of the same name": lambda said: signed(said, OTHER),
    "an unknown key": lambda said: signed(said, UNKNOWN),
    "a key that it brings along": lambda said: signed(said, UNKNOWN, jwk=public(UNKNOWN)),
    "a key at an address that it names": lambda said: signed(said, UNKNOWN, jku="http://127.0.0.1:9/"),
    "an algorithm for another kind of key": lambda said: signed(said, KEY, "RS256", kid="curve"),
    "an algorithm that was not offered": lambda said: signed(said, KEY, "RS512"),
    "one with a condition that we do not know": hostiles.with_a_condition,
    "changed on its way": tampered,
    "without its signature": lambda said: signed(said).rpartition(".")[0] + ".",
    "two parts": lambda said: signed(said).rpartition(".")[0],
    "nothing": always(""),
    "no text": always({"sub": "mia-there"}),
    "not there": always(None),
    "dots": always("..."),
    "letters of no alphabet": always("ä.ö.ü"),
    "claims that are a list": lambda said: signed(said).split(".")[0] + ".W10." + signed(said).split(".")[2],
    "a header that never ends": always(hostiles.letters(b"[" * 8_000).decode() + ".e30.x"),
    "claims without an end": always(hostiles.by_the_right_key(b"[" * 9_000)),
    "far too much": lambda said: signed(said | {"more": "x" * 20_000}),
}


@pytest.mark.parametrize("make", FALSE_TOKENS.values(), ids=FALSE_TOKENS)
async def test_what_is_not_the_providers_word_is_not_believed(
    door: Door, provider: Hostile, make: Callable[[Claims], Any]
) -> None:
    answer = await signed_in(door, provider, make)

    assert answer.status_code == 403, answer.text
    assert "user.signed_in" not in [action for action, _ in await actions(door.api)]


async def test_who_was_shut_out_does_not_come_in_by_another_name(
    set_provider: Set, provider: Hostile
) -> None:
    door = await set_provider(provider.issuer, new_users="viewer")
    first = await signed_in(door, provider, signed, sub="new", preferred_username="max")
    await door.api.http.post("users/max/disable")

    again = await signed_in(door, provider, signed, sub="new", preferred_username="moritz")

    assert (first.status_code, again.status_code) == (200, 403)
    assert [each["username"] for each in (await door.api.http.get("users")).json()["items"]] == ["max"]


async def test_what_an_administrator_is_to_type_holds_no_more_than_a_name(
    door: Door, provider: Hostile
) -> None:
    answer = await signed_in(door, provider, signed, sub="x; rm -rf ~ <b>")

    assert "--issuer-subject &#x27;x; rm -rf ~ &lt;b&gt;&#x27;" in answer.text

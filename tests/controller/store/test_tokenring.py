"""Access tokens: what opens, and every way of making one that must not."""

import base64
import json
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.store import tokenring
from controller.store.tokenring import BadToken, TokenKeysUnusable, TokenRing
from tests.factories import NOON

ISSUER = "orion/main"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, time: timedelta) -> None:
        self.now += time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "controller" / "token-keys.json"


@pytest.fixture
def ring(path: Path, clock: Clock) -> TokenRing:
    return opened(path, clock)


def opened(path: Path, clock: Clock, issuer: str = ISSUER) -> TokenRing:
    ring = TokenRing(path, clock, issuer=issuer)
    ring.open()
    return ring


def kept_key(path: Path) -> tuple[str, Ed25519PrivateKey]:
    entry = json.loads(path.read_text())[0]
    return entry["kid"], Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(entry["secret"]))


def who(ring: TokenRing, token: str) -> tuple[str, str]:
    said = ring.read(token)
    return said.username, said.sign_in_id


def claims(**more: Any) -> dict[str, Any]:
    ends = int((NOON + tokenring.LIVES).timestamp())
    mine = {"iss": ISSUER, "aud": tokenring.AUDIENCE, "sub": "mia", "sid": "s", "iat": 0, "exp": ends}
    return {name: value for name, value in (mine | more).items() if value is not None}


def test_a_token_says_whose_it_is_for_a_quarter_of_an_hour(ring: TokenRing, clock: Clock) -> None:
    token, lives = ring.made("mia", "sign-in")

    assert lives == 900
    assert who(ring, token) == ("mia", "sign-in")
    clock.pass_by(timedelta(seconds=899))
    assert who(ring, token) == ("mia", "sign-in")
    clock.pass_by(timedelta(seconds=1))
    with pytest.raises(BadToken):
        who(ring, token)


def test_what_the_file_holds_would_make_one(ring: TokenRing, path: Path) -> None:
    """The control of the attacks below: made in this way, with the right key, it opens."""
    kid, key = kept_key(path)

    assert who(ring, jwt.encode(claims(), key, "EdDSA", headers={"kid": kid})) == ("mia", "s")


def unsigned(path: Path) -> str:
    kid, _ = kept_key(path)
    return jwt.encode(claims(), "", "none", headers={"kid": kid})


def signed_by_a_stranger(path: Path) -> str:
    kid, _ = kept_key(path)
    return jwt.encode(claims(), Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": kid})


def signed_with_the_public_key_as_a_secret(path: Path) -> str:
    kid, key = kept_key(path)
    secret = key.public_key().public_bytes_raw()
    return jwt.encode(claims(), secret, "HS256", headers={"kid": kid})


def of_no_key(path: Path) -> str:
    return jwt.encode(claims(), kept_key(path)[1], "EdDSA")


def of_another_key(path: Path) -> str:
    return jwt.encode(claims(), kept_key(path)[1], "EdDSA", headers={"kid": "../../etc/passwd"})


def changed(path: Path) -> str:
    kid, key = kept_key(path)
    head, _, signature = jwt.encode(claims(), key, "EdDSA", headers={"kid": kid}).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(sub="admin")).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def with_claims(**more: Any) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        kid, key = kept_key(path)
        return jwt.encode(claims(**more), key, "EdDSA", headers={"kid": kid})

    return make


@pytest.mark.parametrize(
    "forged",
    [
        unsigned,
        signed_by_a_stranger,
        signed_with_the_public_key_as_a_secret,
        of_no_key,
        of_another_key,
        changed,
        with_claims(aud="another-api"),
        with_claims(aud=None),
        with_claims(iss="orion/other"),
        with_claims(iss=None),
        with_claims(exp=int(NOON.timestamp())),
        with_claims(exp=None),
        with_claims(exp="never"),
        with_claims(exp=10**12),
        with_claims(exp=10**30),
        with_claims(sub=None),
        with_claims(sid=None),
        with_claims(sid=["s"]),
        lambda _path: "",
        lambda _path: "a.b.c",
        lambda _path: "é" * 100,
        lambda _path: "." * 1_000,
    ],
)
def test_nothing_else_opens(ring: TokenRing, path: Path, forged: Callable[[Path], str]) -> None:
    with pytest.raises(BadToken):
        who(ring, forged(path))


def test_another_controllers_token_opens_nothing_here(ring: TokenRing, path: Path, clock: Clock) -> None:
    token, _ = opened(path, clock, "orion/other").made("mia", "s")

    with pytest.raises(BadToken):
        who(ring, token)


def test_tokens_outlive_a_restart_and_a_new_key(ring: TokenRing, path: Path, clock: Clock) -> None:
    clock.pass_by(tokenring.SIGNS_FOR - timedelta(minutes=5))
    old, _ = ring.made("mia", "s")
    clock.pass_by(timedelta(minutes=5))

    restarted = opened(path, clock)
    new, _ = restarted.made("mia", "s")

    heads = [jwt.get_unverified_header(token) for token in (old, new)]
    assert heads[0]["kid"] != heads[1]["kid"]
    assert {head["alg"] for head in heads} == {"EdDSA"}
    assert who(restarted, old) == who(restarted, new) == ("mia", "s")


def test_an_old_key_is_believed_no_longer(ring: TokenRing, path: Path, clock: Clock) -> None:
    kid, key = kept_key(path)
    clock.pass_by(tokenring.SIGNS_FOR)
    restarted = opened(path, clock)
    clock.pass_by(tokenring.BELIEVED_AFTER)
    ends = int((clock.now + tokenring.LIVES).timestamp())
    stolen = jwt.encode(claims(exp=ends), key, "EdDSA", headers={"kid": kid})

    with pytest.raises(BadToken):
        who(restarted, stolen)


def test_the_file_is_for_its_owner_and_a_damaged_one_is_told_of(
    ring: TokenRing, path: Path, clock: Clock
) -> None:
    assert ring.made("mia", "s")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("[{}]")

    with pytest.raises(TokenKeysUnusable, match="it is damaged"):
        opened(path, clock)

"""Joining built from the text of `docs/wire.md` alone, with the standard library, gives what ours gives."""

import base64
import hashlib
import hmac
import re
from pathlib import Path

from schemas.joining import JoinCode, prove

PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text(encoding="utf-8")


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256, for 32 bytes: one round."""
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def shown() -> dict[str, str]:
    """The test vector of the page."""
    table = PAGE.split("### A test vector", 1)[1]
    return dict(re.findall(r"^\| ([^|`]+?) \| `([^`]*)` \|$", table, re.MULTILINE))


def test_what_the_page_shows_follows_from_what_it_says() -> None:
    vector = shown()
    letters = vector["join code"].replace("-", "").upper()
    raw = base64.b32decode(letters + "=" * (-len(letters) % 8))
    version, invite, secret, ca, check = raw[:1], raw[1:6], raw[6:22], raw[22:54], raw[54:]
    invite_id = base64.b32encode(invite).decode().lower()
    topic, payload = vector["topic"].encode(), vector["payload"].encode()
    key = hkdf(secret, invite_id.encode(), b"orion join proof")
    proof = hmac.digest(key, topic + b"\n" + payload, "sha256")

    assert version == b"\x01"
    assert hashlib.sha256(raw[:54]).digest()[:3] == check
    assert len(letters) == 92
    assert vector["invite id"] == invite_id
    assert vector["secret, in hexadecimal"] == secret.hex()
    assert vector["SHA-256 of the CA, in hexadecimal"] == ca.hex()
    assert vector["user name and client id"] == f"join-{invite_id}"
    assert vector["password"] == base64url(hkdf(secret, invite_id.encode(), b"orion join password"))
    assert vector["key of the proof, in hexadecimal"] == key.hex()
    assert vector["proof"] == base64url(proof)


def test_ours_is_what_the_page_shows() -> None:
    vector = shown()
    code = JoinCode.read(vector["join code"])

    assert code.text == vector["join code"]
    assert code.invite_id == vector["invite id"]
    assert code.username == vector["user name and client id"]
    assert code.password == vector["password"]
    assert prove(code.proof_key, vector["topic"], vector["payload"].encode()) == (("proof", vector["proof"]),)

"""An identity provider that lies: it answers what a test wants, signed by whom a test wants."""

import base64
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from tests.serving import Served

KEY = RSAKey.generate_key(2048, {"kid": "known", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "known", "use": "sig"})  # of the same name
UNKNOWN = RSAKey.generate_key(2048, {"kid": "unknown", "use": "sig"})
CURVE = ECKey.generate_key("P-256", {"kid": "curve", "use": "sig"})
PATHS = {
    "authorization_endpoint": "/auth",
    "token_endpoint": "/token",
    "jwks_uri": "/jwks",
    "userinfo_endpoint": "/me",
}


@dataclass
class Hostile:
    """What it says. `raw`: bytes for a path in the place of what it would say; `status`: with which status."""

    issuer: str
    metadata: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    token: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)  # paths whose answer does not come
    asked: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> tuple[int, bytes]:
        """What it answers there."""
        self.asked.append(path)
        if path in self.held:
            self.let_go.wait()
        said: dict[str, Any] = {
            "/.well-known/openid-configuration": self._described(),
            "/jwks": {"keys": self.keys},
            "/token": self.token,
            "/me": self.userinfo,
        }.get(path, {})
        return self.status.get(path, 200), self.raw.get(path, json.dumps(said).encode())

    def _described(self) -> dict[str, Any]:
        addresses = {name: self.issuer + path for name, path in PATHS.items()}
        return {
            "issuer": self.issuer,
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": True,
            **addresses,
            **self.metadata,
        }


@contextmanager
def running(encrypted: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """One that listens on this computer, with TLS or without."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = hostile.answer(self.path.partition("?")[0])
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **hostile.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Whoever has heard enough leaves in the middle."""

    server = Server(("127.0.0.1", 0), Answers)
    with Served(server) as served:
        scheme = "http" if encrypted is None else "https"
        if encrypted is not None:
            server.socket = encrypted.wrap_socket(server.socket, server_side=True)
        hostile = Hostile(f"{scheme}://127.0.0.1:{served.port}", keys=[public(KEY), public(CURVE)])
        try:
            yield hostile
        finally:
            hostile.let_go.set()


def public(key: Key) -> dict[str, Any]:
    """A key as it is shown."""
    return dict(key.as_dict(private=False))


def signed(claims: dict[str, Any], key: Key = KEY, alg: str = "RS256", **header: Any) -> str:
    """An ID token."""
    kid = {"kid": key.kid} if key.kid is not None else {}
    return jwt.encode({"alg": alg, **kid, **header}, claims, key, algorithms=[alg])


def by_the_public_key(claims: dict[str, Any]) -> str:
    """One that takes the provider's public key, which everybody has, for a shared secret."""
    return by_hand(
        {"alg": "HS256", "kid": "known"},
        json.dumps(claims).encode(),
        lambda said: hmac.digest(KEY.as_pem(private=False), said, "sha256"),
    )


def with_a_condition(claims: dict[str, Any]) -> str:
    """One of the right key, that is to be believed only by who knows what `x` means."""
    header = {"alg": "RS256", "kid": "known", "crit": ["x"], "x": 1}
    return by_hand(header, json.dumps(claims).encode(), rightly)


def by_the_right_key(said: bytes) -> str:
    """Whatever was said, as the provider signs it."""
    return by_hand({"alg": "RS256", "kid": "known"}, said, rightly)


def rightly(said: bytes) -> bytes:
    """The provider's signature."""
    private = KEY.private_key
    assert private is not None
    return private.sign(said, padding.PKCS1v15(), hashes.SHA256())


def by_hand(header: dict[str, Any], body: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A token that no library makes."""
    said = b".".join(letters(each) for each in (json.dumps(header).encode(), body))
    return b".".join((said, letters(sign(said)))).decode()


def letters(raw: bytes) -> bytes:
    """Bytes as they stand in a token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")

"""What an identity provider says of itself and what it signs with, kept for a while.

A key that is not known is asked for again, so that a provider may change its keys at any time; now and
then at most, since whoever comes may name any.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from controller.api.access.elsewhere import ProviderAway
from controller.api.access.oidc.calls import Calls, may_call

T = TypeVar("T")

logger = logging.getLogger(__name__)

KEPT_FOR = 3_600.0  # seconds
AGAIN_AFTER = 30.0  # seconds, until what is not known is asked for again
AWAY_FOR = 5.0  # seconds in which one that did not answer is not asked
MOST_KEYS = 64
KINDS = ("RSA", "EC", "OKP")  # of keys that have a public side
LEAST, MOST = 342, 1_366  # letters of an RSA key's modulus: 2,048 bits, and 8,192
ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider says of itself, as far as we rely on it."""

    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    jwks_uri: str
    algorithms: frozenset[str]
    auth_methods: tuple[str, ...]
    names_itself: bool  # on the way back (RFC 9207)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    at: float


class Provider:
    """One identity provider. `clock`: seconds that only grow."""

    def __init__(self, calls: Calls, issuer: str, *, clock: Callable[[], float]) -> None:
        self._calls = calls
        self._issuer = issuer
        self._clock = clock
        self._metadata: _Kept[Metadata] | None = None
        self._keys: _Kept[list[Key]] | None = None
        self._turn = asyncio.Lock()
        self._away: _Kept[str] | None = None

    async def metadata(self) -> Metadata:
        """What it says of itself.

        Raises:
            ProviderAway: it cannot be used.
        """
        async with self._turn:
            kept = self._metadata
            if kept is None or self._clock() - kept.at >= KEPT_FOR:
                kept = self._metadata = _Kept(await self._asked(self._discover), self._clock())
            return kept.value

    async def key(self, kid: str | None, algorithm: str) -> Key | None:
        """What a token was signed with that names this; None: no key of its.

        Raises:
            ProviderAway: it cannot be asked.
        """
        metadata = await self.metadata()
        async with self._turn:
            for age in (KEPT_FOR, AGAIN_AFTER):
                kept = self._keys
                if kept is None or self._clock() - kept.at >= age:
                    fetched = await self._asked(lambda: self._fetched(metadata.jwks_uri))
                    kept = self._keys = _Kept(fetched, self._clock())
                if (found := _fitting(kept.value, kid, algorithm)) is not None:
                    return found
        return None

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        if self._away is not None and self._clock() - self._away.at < AWAY_FOR:
            raise ProviderAway(self._away.value)
        try:
            found = await ask()
        except ProviderAway as error:
            self._away = _Kept(error.why, self._clock())
            raise
        self._away = None
        return found

    async def _discover(self) -> Metadata:
        found = await self._calls.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer:
            raise ProviderAway("it calls itself otherwise than ORION_OIDC_ISSUER does")
        encrypted = self._issuer.startswith("https:")
        needed = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        userinfo = found.get("userinfo_endpoint")
        if not all(may_call(url, encrypted=encrypted) for url in needed):
            raise ProviderAway("it names no addresses that may be used")
        algorithms = ASYMMETRIC.intersection(_texts(found, "id_token_signing_alg_values_supported"))
        if not algorithms:
            raise ProviderAway("it signs in no way that may be believed")
        methods = _texts(found, "token_endpoint_auth_methods_supported") or ("client_secret_basic",)
        authorization, token, jwks = (str(url) for url in needed)
        return Metadata(
            authorization_endpoint=authorization,
            token_endpoint=token,
            userinfo_endpoint=userinfo if may_call(userinfo, encrypted=encrypted) else None,
            jwks_uri=jwks,
            algorithms=algorithms,
            auth_methods=methods,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _fetched(self, jwks_uri: str) -> list[Key]:
        found = (await self._calls.get(jwks_uri)).get("keys")
        entries = found if isinstance(found, list) else []
        keys = [_key(entry) for entry in entries[:MOST_KEYS] if isinstance(entry, dict)]
        return [key for key in keys if key is not None]


def _texts(found: dict[str, Any], name: str) -> tuple[str, ...]:
    values = found.get(name)
    return tuple(each for each in values if isinstance(each, str)) if isinstance(values, list) else ()


def _key(entry: dict[str, Any]) -> Key | None:
    """One that signs; None: it is for something else, too weak, or cannot be read."""
    kind, modulus = entry.get("kty"), entry.get("n", "")
    if entry.get("use", "sig") != "sig" or kind not in KINDS or not isinstance(modulus, str):
        return None
    if kind == "RSA" and not LEAST <= len(modulus) <= MOST:
        return None
    try:
        key = import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        logger.info("A key of the identity provider is left out: %r", error)
        return None
    return key


def _fitting(keys: list[Key], kid: str | None, algorithm: str) -> Key | None:
    """The one key that it can be; None: there is none, or it could be several."""
    kind = "OKP" if algorithm.startswith("Ed") else "EC" if algorithm.startswith("ES") else "RSA"
    found = [
        key
        for key in keys
        if key.key_type == kind and (kid is None or key.kid == kid) and key.get("alg", algorithm) == algorithm
    ]
    return found[0] if len(found) == 1 else None

"""Whether an ID token is the provider's, for us, of this sign-in and of now (OpenID Connect Core 1.0, 3.1.3.7)."""

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from controller.api.access.elsewhere import NotProven

logger = logging.getLogger(__name__)

SKEW = 60  # seconds that the provider's clock may be away from ours
LONGEST = 16_384  # characters
LONGEST_SUBJECT = 255  # characters (OpenID Connect Core 1.0, 2)
Keys = Callable[[str | None, str], Awaitable[Key | None]]


async def claims_of(
    token: object,
    keys: Keys,
    *,
    algorithms: frozenset[str],
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None,
    now: datetime,
) -> dict[str, Any]:
    """What the provider says of somebody.

    Raises:
        NotProven: it is not its word, or not for this sign-in.
        ProviderAway: its keys cannot be had.
    """
    if not isinstance(token, str) or len(token) > LONGEST:
        raise _not_proven("there is no ID token")
    algorithm, kid = _header(token)
    if algorithm not in algorithms:
        raise _not_proven(f"it is signed by {algorithm!r}")
    key = await keys(kid, algorithm)
    if key is None:
        raise _not_proven("it is signed with a key that is not known")
    try:
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        found = jwt.decode(token, key, registry=registry)
        checked = CodeIDToken(
            found.claims,
            found.header,
            options={
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client_id},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": nonce},
            },
            params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        checked.validate(now=int(now.timestamp()), leeway=SKEW)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _not_proven(repr(error)) from error
    subject = checked["sub"]
    if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise _not_proven("its subject is none")
    return dict(checked)


def _header(token: str) -> tuple[str, str | None]:
    try:
        header = json.loads(urlsafe_b64decode(token.partition(".")[0].encode()))
    except (ValueError, RecursionError) as error:
        raise _not_proven("its header cannot be read") from error
    if not isinstance(header, dict) or not isinstance(header.get("alg"), str):
        raise _not_proven("its header is none")
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise _not_proven("its header is none")
    return header["alg"], kid


def _not_proven(why: str) -> NotProven:
    logger.warning("An ID token is not believed: %s", why)
    return NotProven("What the identity provider says of you is not believed; the log says why")

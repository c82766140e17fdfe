"""The way to an identity provider and back: authorization code with PKCE, bound to one browser, once.

State, nonce and verifier follow from a secret that the browser keeps, so that nobody who reads our
database can go on with somebody's sign-in.
"""

import hashlib
import hmac
import logging
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote_plus, urlsplit

from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from controller.api.access.addresses import subscriber
from controller.api.access.elsewhere import (
    Arrived,
    Destination,
    Leaving,
    NotProven,
    ProviderAway,
    Returning,
    Stranger,
)
from controller.api.access.oidc import idtoken
from controller.api.access.oidc.calls import OK, Calls
from controller.api.access.oidc.provider import Metadata, Provider
from controller.errors import AlreadyExists, InvalidArguments, Refused
from controller.services import audit, identities, standing
from controller.services.accounts import attempts
from controller.services.users import UserRole
from controller.settings import OidcSettings
from controller.store.store import Session, Store
from controller.store.tables import User
from schemas.commands import Via
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

CALLBACK = "/api/v1/auth/oidc/callback"
_WORD = re.compile(r"[a-z_]{1,64}")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Passage:
    """Signs people in by one provider. `clock`: seconds that only grow; `now`: the hour. Made off the event loop."""

    def __init__(
        self,
        store: Store,
        settings: OidcSettings,
        *,
        public_url: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._settings = settings
        self._redirect_uri = public_url + CALLBACK  # never from what a caller names as our host
        self._now = now
        self._calls = Calls(settings.issuer)
        self._provider = Provider(self._calls, settings.issuer, clock=clock)

    @property
    def name(self) -> str:
        """The provider's host."""
        return urlsplit(self._settings.issuer).netloc

    async def close(self) -> None:
        """Let go of all connections."""
        await self._calls.close()

    async def leave(
        self, destination: Destination, user_code: str, *, browser: str | None, address: str
    ) -> Leaving:
        """Begin to sign somebody in. `browser`: what it keeps from an earlier time, if it does.

        Raises:
            ProviderAway: the provider cannot be used.
            TooManyWaiting: so many are away already.
        """
        metadata = await self._provider.metadata()
        browser, state, now = browser or secrets.token_urlsafe(32), secrets.token_urlsafe(32), self._now()
        place = subscriber(address)
        await self._store.write(
            lambda session: attempts.begin(
                session,
                state,
                browser=browser,
                place=place,
                destination=destination,
                user_code=user_code,
                now=now,
            )
        )
        address_there, _ = self._client().create_authorization_url(
            metadata.authorization_endpoint,
            state=state,
            nonce=_derived(browser, state, "nonce"),
            code_verifier=_derived(browser, state, "verifier"),
        )
        return Leaving(str(address_there), browser)

    async def arrive(self, returning: Returning, *, address: str) -> Arrived:
        """Find out who has come back.

        Raises:
            NotProven: nobody who left so, or with nothing that proves who they are.
            Stranger: the provider knows them, and nobody here is them.
            ProviderAway: the provider cannot be used.
        """
        state, browser = returning.state, returning.browser
        left = await self._store.write(
            lambda session: attempts.take(session, state, browser=browser, now=self._now())
        )
        if left is None:
            raise NotProven
        metadata = await self._provider.metadata()
        if returning.issuer != self._settings.issuer and (
            metadata.names_itself or returning.issuer is not None
        ):
            raise NotProven("Another identity provider than ours has sent you back")
        if returning.error is not None or returning.code is None:
            word = _WORD.fullmatch(returning.error or "")
            raise NotProven(f"The identity provider did not let you in ({word[0] if word else 'no reason'})")
        claims, token = await self._claims(metadata, returning.code, state, browser)
        username = await self._recognised(metadata, claims, token, address)
        return Arrived(username, cast(Destination, left.destination), left.user_code)

    async def _claims(
        self, metadata: Metadata, code: str, state: str, browser: str
    ) -> tuple[dict[str, Any], str | None]:
        """What the provider says of somebody, and by what it would say more."""
        body = prepare_token_request(
            "authorization_code",
            redirect_uri=self._redirect_uri,
            code=code,
            code_verifier=_derived(browser, state, "verifier"),
        )
        granted = await self._granted(metadata, body)
        access_token = granted.get("access_token")
        if not isinstance(access_token, str):
            access_token = None
        claims = await idtoken.claims_of(
            granted.get("id_token"),
            self._provider.key,
            algorithms=metadata.algorithms,
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=_derived(browser, state, "nonce"),
            access_token=access_token,
            now=self._now(),
        )
        return claims, access_token

    async def _granted(self, metadata: Metadata, body: str) -> dict[str, Any]:
        """What the provider grants. As whom it knows us by which method, only it knows: each is tried that it takes."""
        word = ""
        for method in self._methods(metadata):
            auth = self._client(method).client_auth(method)
            url, headers, signed = auth.prepare("POST", metadata.token_endpoint, dict(_FORM), body)
            status, granted = await self._calls.post(str(url), str(signed), headers)
            if status == OK:
                return granted
            said = _WORD.fullmatch(str(granted.get("error")))
            word = said[0] if said else str(status)
            if word != "invalid_client":
                break
        logger.warning("The identity provider grants nothing: %s", word)
        raise NotProven("The identity provider does not go on with this sign-in")

    async def _recognised(
        self, metadata: Metadata, claims: dict[str, Any], token: str | None, address: str
    ) -> str:
        """Who they are here."""
        issuer, subject = self._settings.issuer, str(claims["sub"])

        def known(session: Session) -> User | None:
            user = identities.user_of(session, issuer, subject, now=self._now())
            if user is not None and standing.by_name(session, user.username, Via.API) is None:
                return None
            return user

        found = await self._store.write(known)
        why = ""
        if found is None and (role := self._settings.new_users) is not None:
            name = await self._name(metadata, claims, token)
            try:
                found = None if name is None else await self._admitted(name, subject, UserRole(role))
            except (AlreadyExists, InvalidArguments, Refused) as error:
                why = f"{error} "
        if found is None:
            detail: JsonObject = {"issuer": issuer, "subject": subject, "address": address}
            await self._store.write(
                lambda session: audit.record(session, "user.sign_in_failed", now=self._now(), detail=detail)
            )
            raise Stranger(issuer, subject, why)
        return found.username

    async def _admitted(self, name: str, subject: str, role: UserRole) -> User:
        """A new user, where the rule lets people in who are not known."""
        issuer, now = self._settings.issuer, self._now()
        return await self._store.write(
            lambda session: identities.admit(session, name, issuer, subject, role, now=now)
        )

    async def _name(self, metadata: Metadata, claims: dict[str, Any], token: str | None) -> str | None:
        """What somebody new is to be called; None: the provider says nothing that may be used."""
        wanted = self._settings.username_claim
        if wanted not in claims and metadata.userinfo_endpoint is not None and token is not None:
            said = await self._calls.get(metadata.userinfo_endpoint, token=token)
            if said.get("sub") != claims["sub"]:
                raise NotProven("The identity provider speaks of two people")
            claims = claims | said
        name = claims.get(wanted)
        if wanted == "email" and claims.get("email_verified") is not True:
            return None
        if not isinstance(name, str):
            return None
        return name.partition("@")[0] if wanted == "email" else name

    def _methods(self, metadata: Metadata) -> list[str]:
        """How we may prove there who we are."""
        if self._settings.client_secret is None:
            return ["none"]
        known = ("client_secret_basic", "client_secret_post")
        found: list[str] = [each for each in known if each in metadata.auth_methods]
        if not found:
            raise ProviderAway("it takes a client's secret in no way that we know")
        return found

    def _client(self, method: str = "none") -> OAuth2Client:
        secret = self._settings.client_secret
        return OAuth2Client(
            None,
            client_id=_spelled(self._settings.client_id, method),
            client_secret=None if secret is None else _spelled(secret.get_secret_value(), method),
            token_endpoint_auth_method=method,
            scope=" ".join(self._settings.scopes),
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )


def _spelled(credential: str, method: str) -> str:
    """As it is written where a colon divides them (RFC 6749, 2.3.1)."""
    return quote_plus(credential) if method == "client_secret_basic" else credential


def _derived(browser: str, state: str, what: str) -> str:
    """43 letters that only who knows both can make."""
    made = hmac.new(browser.encode(), f"{what} {state}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")

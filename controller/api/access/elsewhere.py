"""Signing in elsewhere: what a route and whoever asks an identity provider tell each other."""

import shlex
from dataclasses import dataclass
from typing import Literal, Protocol

from controller.errors import NotFound, OrionError, Refused

Destination = Literal["", "/auth/device"]  # where somebody goes on who has come back; all there are


class NoProvider(NotFound):
    """People sign in here by password alone."""

    def __init__(self) -> None:
        super().__init__("No identity provider is set here: ORION_OIDC_ISSUER.")


class ExtraMissing(OrionError):
    """What signing in elsewhere needs is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "ORION_OIDC_ISSUER is set, and what it needs is not installed: pip install 'orion-control-plane[oidc]'"
        )


class ProviderAway(OrionError):
    """The identity provider does not answer, or not with what it should. The log says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The identity provider cannot be used now: {why}.")
        self.why = why


class NotProven(Refused):
    """What came back from the identity provider proves nothing."""

    def __init__(self, why: str = "It is over, or another browser began it") -> None:
        super().__init__(f"{why}. Sign in anew from the beginning.")


class Stranger(Refused):
    """The provider knows this person, and nobody here is them."""

    def __init__(self, issuer: str, subject: str, why: str = "") -> None:
        super().__init__(
            f"Nobody here is who you are at {issuer}. {why}An administrator lets you in: "
            f"orion users link NAME --issuer-subject {shlex.quote(subject)}"
        )


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where a browser is sent, and by what it is known when it comes back."""

    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class Returning:
    """What a browser comes back with."""

    state: str
    browser: str
    code: str | None = None
    issuer: str | None = None  # who sends it back (RFC 9207)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who somebody has shown that they are, and what they came for."""

    username: str
    destination: Destination
    user_code: str


class Elsewhere(Protocol):
    """Who asks an identity provider."""

    @property
    def name(self) -> str:
        """The provider, as people may know it."""

    async def leave(
        self, destination: Destination, user_code: str, *, browser: str | None, address: str
    ) -> Leaving:
        """Begin to sign somebody in."""

    async def arrive(self, returning: Returning, *, address: str) -> Arrived:
        """Find out who has come back."""

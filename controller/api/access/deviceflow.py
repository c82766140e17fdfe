"""Letting in a program that has no browser: it shows a code, and a person says yes elsewhere (RFC 8628)."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode

from controller.api.access import throttle
from controller.api.access.addresses import subscriber
from controller.api.access.doorkeeper import Doorkeeper, Grant
from controller.api.access.refusals import GrantRefused
from controller.api.access.throttle import Throttle
from controller.errors import Refused
from controller.services import audit, standing
from controller.services.accounts import devicecodes
from controller.services.accounts.devicecodes import UnknownCode, Verdict
from controller.services.actors import Actor
from controller.store.store import Session, Store
from controller.store.tables import DeviceCode
from schemas.commands import Via

T = TypeVar("T")

PAGE = "/auth/device"
_SAID = {
    Verdict.PENDING: "Nobody has said yes yet.",
    Verdict.TOO_SOON: "Ask less often: from now on 5 seconds later each time.",
    Verdict.DENIED: "Whoever was asked said no.",
    Verdict.EXPIRED: "Nobody said yes in time: begin anew.",
    Verdict.NONE: "That code opens nothing, any more or at all: begin anew.",
}


@dataclass(frozen=True, slots=True)
class Started:
    """What a program is told that begins to wait (RFC 8628, 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int  # seconds
    interval: int  # seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """A program that somebody is shown, and what their answer has to hold."""

    user_code: str
    client: str
    address: str
    begun_at: datetime
    username: str  # whom it would be let in as
    confirmation: str


class DeviceFlow:
    """Lets such programs in. `public_url`: where people find us; `clock`: seconds that only grow; `now`: the hour."""

    def __init__(
        self,
        store: Store,
        doorkeeper: Doorkeeper,
        *,
        public_url: str,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._doorkeeper = doorkeeper
        self._page = public_url + PAGE
        self._now = now
        self._guesses = Throttle(clock, name_free=throttle.FREE)  # it is the guesser's own

    async def begin(self, client: str, address: str) -> Started:
        """Let a program wait for a person.

        Raises:
            TooManyWaiting: so many wait already.
        """
        place, now = subscriber(address), self._now()
        begun = await self._store.write(
            lambda session: devicecodes.begin(session, client=client, address=address, place=place, now=now)
        )
        return Started(
            begun.device_code,
            begun.user_code,
            self._page,
            f"{self._page}?{urlencode({'user_code': begun.user_code})}",
            int(devicecodes.LIVES.total_seconds()),
            devicecodes.EVERY,
        )

    async def redeem(self, device_code: str, *, client: str, address: str) -> Grant:
        """Let the program in whose person has said yes.

        Raises:
            GrantRefused: not yet, or not at all; its word says which.
        """
        found = Verdict.NONE
        if await self._store.ask(lambda session: devicecodes.is_known(session, device_code)):
            outcome = await self._store.write(
                lambda session: devicecodes.redeem(
                    session, device_code, client=client, address=address, now=self._now()
                )
            )
            if not isinstance(outcome, Verdict):
                return self._doorkeeper.granted(outcome)
            found = outcome
        raise GrantRefused(_SAID[found], error=found.value)

    async def decide(self, user_code: str, *, approve: bool, actor: Actor, address: str) -> DeviceCode:
        """Take the answer of somebody who is in.

        Raises:
            TooManyTries: they have guessed too often.
            UnknownCode: nobody waits with that code.
            CodeDecided: it has had its answer.
            Refused: they may not come in themselves.
        """
        code = devicecodes.typed(user_code)

        def answer(session: Session) -> DeviceCode:
            if standing.by_name(session, actor.user, actor.via) is None:
                raise Refused(f"{actor.user} may not sign in, and lets nobody else in.")
            return devicecodes.decide(session, code, approve=approve, by=actor, now=self._now())

        return await self._guess(actor.user, address, partial(self._store.write, answer))

    async def show(self, user_code: str, username: str, *, browser: str, address: str) -> Waiting:
        """Show somebody who has proven who they are which program waits. `browser`: what only theirs knows.

        Raises:
            TooManyTries: they have guessed too often.
            UnknownCode: nobody waits with that code.
        """
        code, confirmation = devicecodes.typed(user_code), secrets.token_urlsafe(32)

        def show(session: Session) -> Waiting:
            proof = _proof(confirmation, browser)
            row = devicecodes.show(session, code, username, proof, now=self._now())
            if row is None:
                raise UnknownCode
            spelled = devicecodes.spelled(row.user_code)
            return Waiting(spelled, row.client, row.address, row.begun_at, username, confirmation)

        return await self._guess(username, address, partial(self._store.write, show))

    async def answer(self, confirmation: str, *, browser: str, approve: bool) -> DeviceCode | None:
        """Take the answer of whoever was shown a program, in the same browser; None: it is too late, or not theirs."""
        proof = _proof(confirmation, browser)

        def answer(session: Session) -> DeviceCode | None:
            username = devicecodes.shown_to(session, proof)
            by = None if username is None else standing.by_name(session, username, Via.API)
            if by is None:
                return None
            return devicecodes.decide_shown(session, proof, approve=approve, by=by, now=self._now())

        return await self._store.write(answer)

    async def _guess(self, username: str, address: str, look: Callable[[], Awaitable[T]]) -> T:
        self._guesses.begin(username, address)
        try:
            found = await look()
        except UnknownCode:
            await self._store.write(partial(_note_guess, username=username, address=address, now=self._now()))
            raise
        self._guesses.forgive(username, address)
        return found


def _proof(confirmation: str, browser: str) -> str:
    return f"{confirmation} {browser}"


def _note_guess(session: Session, *, username: str, address: str, now: datetime) -> None:
    detail = {"username": username, "address": address}
    audit.record(session, "user.device_code_unknown", now=now, detail={**detail})

"""Who stands behind a request: a password becomes a sign-in, a sign-in a token, a token an actor.

What somebody may is read anew at each request, so a role that is taken away is gone at once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from controller.api.access.bearers import Bearers
from controller.api.access.throttle import Throttle
from controller.errors import Refused
from controller.services import audit, users
from controller.services.accounts import passwords, signins
from controller.services.actors import Actor
from controller.store.store import Session, Store
from controller.store.tables import User
from controller.store.tokenring import BadToken, TokenRing
from schemas.commands import Via

T = TypeVar("T")

HASHING = 2  # passwords at once: each takes a core for some 20 ms, and 19 MiB


class GrantRefused(Refused):
    """Nobody is let in by what was shown. `error`: the word that OAuth 2.0 has for it (RFC 6749, 5.2)."""

    def __init__(self, sentence: str, *, error: str = "invalid_grant") -> None:
        super().__init__(sentence)
        self.error = error


class PasswordOver(GrantRefused):
    """It was the right password, for once: another one is to be chosen with it."""

    def __init__(self) -> None:
        super().__init__(
            "This password was for one sign-in: choose another one, and send it as new_password.",
            error="password_change_required",
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """What opens the API for a while."""

    username: str
    access_token: str
    expires_in: int  # seconds
    refresh_token: str


class Doorkeeper:
    """Lets people in. `clock`: seconds that only grow; `now`: the hour."""

    def __init__(
        self, store: Store, ring: TokenRing, *, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._ring = ring
        self._now = now
        self._bearers = Bearers(store, ring, clock=clock, now=now)
        self._throttle = Throttle(clock)
        self._hashing = asyncio.Semaphore(HASHING)

    async def sign_in(
        self, username: str, password: str, *, new_password: str | None, client: str, address: str
    ) -> Grant:
        """Let somebody in by name and password.

        Raises:
            TooManyTries: it was tried too often.
            GrantRefused: there is no such user with such a password, or they may not come in: one answer for all.
            PasswordOver: another password is needed with it.
            InvalidArguments: the new password is none.
        """
        self._throttle.begin(username, address)
        kept = await self._store.ask(partial(_credentials, username=username))
        before = None if kept is None else kept.password_hash
        fits = await self._hash(passwords.fits, password, before)
        if kept is None or before is None or not fits:
            await self._store.write(
                partial(_note_failure, username=username, address=address, now=self._now())
            )
            raise GrantRefused("The name or the password is wrong, or this user may not sign in.")
        self._throttle.forgive(username, address)
        if kept.password_once and new_password is None:
            raise PasswordOver
        fresh = None
        if new_password is not None:
            if new_password == password:
                raise GrantRefused("The new password is the old one.", error="invalid_request")
            fresh = await self._hash(passwords.hashed, new_password)
        elif passwords.is_outdated(before):
            fresh = await self._hash(passwords.hashed, password)
        opened = await self._store.write(
            lambda session: self._let_in(
                session,
                username,
                before,
                fresh,
                changed=new_password is not None,
                client=client,
                address=address,
            )
        )
        if opened is None:  # changed or shut out while it was looked at
            raise GrantRefused("The name or the password is wrong, or this user may not sign in.")
        return self._granted(opened)

    async def renew(self, refresh_token: str) -> Grant:
        """Go on with a sign-in.

        Raises:
            GrantRefused: the token opens nothing, any more or at all.
        """
        opened = None
        if await self._store.ask(lambda session: signins.is_known(session, refresh_token)):
            opened = await self._store.write(
                lambda session: signins.renew(session, refresh_token, now=self._now())
            )
        if opened is None:
            raise GrantRefused("This sign-in is over: sign in again.")
        return self._granted(opened)

    async def sign_out(self, token: str) -> None:
        """End a sign-in by its refresh token or its access token. An unknown one ends nothing (RFC 7009)."""
        try:
            sign_in_id = self._ring.read(token).sign_in_id
        except BadToken:
            if not await self._store.ask(lambda session: signins.is_known(session, token)):
                return  # whoever makes one up costs nobody a turn at writing
            await self._store.write(lambda session: signins.end_by_token(session, token, now=self._now()))
        else:
            await self._store.write(lambda session: signins.end(session, sign_in_id, now=self._now()))

    async def actor_of(self, token: str, via: Via) -> Actor:
        """Who shows this token or API key, with the rights of now.

        Raises:
            Unauthorized: nobody who may come in.
        """
        return await self._bearers.actor_of(token, via)

    async def check(self, username: str, password: str) -> str:
        """Make sure that somebody who is in knows their password too; how it is kept.

        Raises:
            TooManyTries: it was tried too often.
            Refused: it is another one.
        """
        # counted apart from signing in: neither of the two blocks the other
        name, place = f"{username} within", f"within {username}"
        self._throttle.begin(name, place)
        kept = await self._store.ask(partial(_credentials, username=username))
        before = None if kept is None else kept.password_hash
        if not await self._hash(passwords.fits, password, before) or before is None:
            await self._store.write(partial(_note_failure, username=username, address="", now=self._now()))
            raise Refused("The current password is another one.")
        self._throttle.forgive(name, place)
        return before

    async def first_password(self) -> str:
        """The password of the first user, for one sign-in. It is made once.

        Raises:
            Conflict: there is one.
        """
        made = passwords.once()
        fresh = await self._hash(passwords.hashed, made)
        await self._store.write(lambda session: users.set_first_password(session, fresh, now=self._now()))
        return made

    async def tidy(self) -> None:
        """Once a day: make the next key if the present one has signed long enough, forget what opens nothing."""
        await asyncio.to_thread(self._ring.open)
        await self._store.write(lambda session: signins.forget_old(session, now=self._now()))

    async def change_password(
        self, username: str, password: str | None, *, before: str | None, actor: Actor
    ) -> tuple[User, str | None]:
        """Give somebody another password; None makes one for once, which is told here and never again.

        `before`: how the one is kept that was shown for it, if one was.

        Raises:
            UnknownUser: nobody has that name.
            Refused: they sign in nowhere.
            InvalidArguments: it is too short or too long.
        """
        made = passwords.once() if password is None else None
        fresh = await self._hash(passwords.hashed, made if password is None else password)
        row = await self._store.write(
            lambda session: users.set_password(
                session, username, fresh, once=made is not None, before=before, actor=actor, now=self._now()
            )
        )
        return row, made

    def _let_in(
        self,
        session: Session,
        username: str,
        before: str,
        fresh: str | None,
        *,
        changed: bool,
        client: str,
        address: str,
    ) -> signins.Opened | None:
        row = _credentials(session, username)
        if row is None or row.password_hash != before:
            return None
        now, role = self._now(), users.speaking(row)
        if role is None:
            return None
        if fresh is not None and changed:
            users.set_password(
                session, username, fresh, once=False, actor=Actor(username, role, Via.API), now=now
            )
        elif fresh is not None:
            users.rehash(session, username, before, fresh)
        return signins.begin(session, username, client=client, address=address, now=now)

    def _granted(self, opened: signins.Opened) -> Grant:
        token, lives = self._ring.made(opened.username, opened.sign_in_id)
        return Grant(opened.username, token, lives, opened.refresh_token)

    async def _hash(self, work: Callable[..., T], *given: object) -> T:
        async with self._hashing:
            return await asyncio.to_thread(work, *given)


def _credentials(session: Session, username: str) -> User | None:
    row = session.get(User, username)
    return None if row is None or row.disabled_at is not None else row


def _note_failure(session: Session, *, username: str, address: str, now: datetime) -> None:
    # whatever was typed as a name may be a password, so only names that are there are put on record
    detail = {"username": username} if session.get(User, username) is not None else {}
    audit.record(session, "user.sign_in_failed", now=now, detail={**detail, "address": address})

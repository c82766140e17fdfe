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
from controller.api.access.refusals import WRONG, BadRequest, GrantRefused, PasswordOver
from controller.api.access.throttle import Throttle
from controller.errors import Refused
from controller.services import audit, standing, users
from controller.services.accounts import apikeys, devicecodes, passwords, signins
from controller.services.actors import Actor
from controller.store.store import Session, Store
from controller.store.tables import User
from controller.store.tokenring import BadToken, TokenRing
from schemas.commands import Via

T = TypeVar("T")

HASHING = 2  # passwords at once: each takes a core for some 20 ms, and 19 MiB


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
        """Let somebody in by name and password; raises what `prove` does."""

        def begin(session: Session) -> signins.Opened:
            return signins.begin(
                session, username, client=client, address=address, how="password", now=self._now()
            )

        proven = self.prove(username, password, new_password=new_password, address=address, then=begin)
        return self.granted(await proven)

    async def prove(
        self,
        username: str,
        password: str,
        *,
        new_password: str | None,
        address: str,
        then: Callable[[Session], T],
    ) -> T:
        """Make sure that somebody is who they say, and do `then` in the same transaction.

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
            raise GrantRefused(WRONG)
        self._throttle.forgive(username, address)
        if kept.password_once:
            if passwords.has_run_out(kept.password_at, now=self._now()):
                raise GrantRefused(
                    f"This password was for one sign-in within {passwords.ONCE_WITHIN.days} days, and they are over: "
                    "ask an administrator for another one."
                )
            if new_password is None:
                raise PasswordOver
        fresh = None
        if new_password is not None:
            if new_password == password:
                raise BadRequest("The new password is the old one.")
            fresh = await self._hash(passwords.hashed, new_password)
        elif passwords.is_outdated(before):
            fresh = await self._hash(passwords.hashed, password)

        def go_on(session: Session) -> T:
            self._settle(session, username, before, fresh, changed=new_password is not None)
            return then(session)

        return await self._store.write(go_on)

    async def admit(self, username: str, *, client: str, address: str, how: str) -> Grant:
        """Let somebody in who has shown otherwise who they are.

        Raises:
            GrantRefused: they may not come in.
        """

        def begin(session: Session) -> signins.Opened:
            if standing.by_name(session, username, Via.API) is None:
                raise GrantRefused(WRONG)
            return signins.begin(session, username, client=client, address=address, how=how, now=self._now())

        return self.granted(await self._store.write(begin))

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
        return self.granted(opened)

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
        name, place = _within(username), f"within {username}"
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
        await self._store.write(self._forget_old)

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
        self.forgive(username)
        return row, made

    def forgive(self, username: str) -> None:
        """Have nobody wait any more who comes by this name: an administrator has let them in anew."""
        for name in (username, _within(username)):
            self._throttle.forget(name)

    def granted(self, opened: signins.Opened) -> Grant:
        """What a sign-in that goes on opens the API with."""
        token, lives = self._ring.made(opened.username, opened.sign_in_id)
        return Grant(opened.username, token, lives, opened.refresh_token)

    def _forget_old(self, session: Session) -> None:
        signins.forget_old(session, now=self._now())
        devicecodes.forget_old(session, now=self._now())
        apikeys.forget_old(session, now=self._now())

    def _settle(
        self, session: Session, username: str, before: str, fresh: str | None, *, changed: bool
    ) -> None:
        """Keep what is kept anew of a password that was right, unless it is so no more."""
        row = _credentials(session, username)
        role = None if row is None or row.password_hash != before else users.speaking(row)
        if role is None:  # changed or shut out while it was looked at
            raise GrantRefused(WRONG)
        if fresh is not None and changed:
            actor = Actor(username, role, Via.API)
            users.set_password(session, username, fresh, once=False, actor=actor, now=self._now())
        elif fresh is not None:
            users.rehash(session, username, before, fresh)

    async def _hash(self, work: Callable[..., T], *given: object) -> T:
        async with self._hashing:
            return await asyncio.to_thread(work, *given)


def _within(username: str) -> str:
    """By which name the tries are counted of somebody who is in."""
    return f"{username} within"


def _credentials(session: Session, username: str) -> User | None:
    row = session.get(User, username)
    return None if row is None or row.disabled_at is not None else row


def _note_failure(session: Session, *, username: str, address: str, now: datetime) -> None:
    # whatever was typed as a name may be a password, so only names that are there are put on record
    detail = {"username": username} if session.get(User, username) is not None else {}
    audit.record(session, "user.sign_in_failed", now=now, detail={**detail, "address": address})

"""Our own broker, administered through its files; it is asked by a real CONNECT whether it acts on them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from broker import certificates
from broker.identities import names
from broker.identities.activity import ACTIVE_EVERY, await_active
from broker.identities.errors import BrokerUnreachable, IdentityError, UnknownIdentity
from broker.identities.keeping import held
from broker.identities.register import CHANGES, KEEPER, Identities
from broker.rights import ANYBODY, Role
from broker.session import ConnectFailed, Endpoint

logger = logging.getLogger(__name__)

ACTS_WITHIN = 5.0  # seconds
TELL_AGAIN = 1.0  # seconds; Mosquitto 2.0.11 forgets a SIGHUP that comes while it reads its files for another

T = TypeVar("T")


class Local:
    """The `Administration` of a supervised broker. `broker` is where it listens; its credentials are not used."""

    bound: int | None = None  # it takes as many as the machine has room for

    def __init__(self, identities: Identities, broker: Endpoint) -> None:
        self._identities = identities
        self._broker = broker

    async def add_device(self, device_id: str) -> str:
        return await self._add(device_id, lambda: self._identities.add_device(device_id))

    async def add_user(self, username: str, role: Role) -> str:
        return await self._add(username, lambda: self._identities.add_user(username, role))

    async def add_joining(self, invite_id: str, password: str) -> None:
        username = await asyncio.to_thread(self._identities.add_joining, invite_id, password)
        await self._await_first(username, password)

    async def rotate(self, username: str, *, among: Collection[Role] = ANYBODY) -> str:
        def write() -> str:
            return self._identities.rotate_unread(username, among=among)

        return await self._changed(username, write, among, queue=True)

    async def suspend(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        def write() -> None:
            self._identities.suspend(username, among=among, tell=False)

        await self._changed(username, write, among, queue=True)
        await self._with_certificates(certificates.hold, username)

    async def resume(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        await asyncio.to_thread(partial(self._identities.resume, username, among=among))
        await self._with_certificates(certificates.release, username)
        await self._await_change()

    async def remove(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        def write() -> None:
            self._identities.remove(username, among=among, tell=False)

        try:
            # Mosquitto keeps a removed user's session and what is queued in it, for whoever gets the name next
            await self._changed(username, write, among, queue=False)
        except UnknownIdentity:
            # its name is gone already; for its certificates there may have been no room then
            await self._with_certificates(certificates.revoke, username)
            raise
        await self._with_certificates(certificates.revoke, username)

    async def all(self) -> dict[str, Role]:
        return await asyncio.to_thread(self._identities.all)

    async def _with_certificates(self, change: Callable[..., Awaitable[bool]], username: str) -> None:
        """Do the same to whoever comes with a certificate; nothing happens to who has none."""
        if not names.could_be_device(username):
            return
        try:
            await change(self._identities.directory, username, now=datetime.now(UTC))
        except ConnectFailed as error:
            raise _unreachable(error) from error
        except OSError as error:
            raise IdentityError(  # its name is another matter: that was written before
                f"The certificates of {username!r} could not be changed: {error.strerror}. Make room for the broker's files."
            ) from error
        except certificates.CertificateError as error:
            raise IdentityError(f"The certificates of {username!r} could not be changed: {error}") from error

    async def _changed(
        self, username: str, write: Callable[[], T], among: Collection[Role], *, queue: bool
    ) -> T:
        """Write a change of somebody's, and have the broker act on it while their session is in our hands."""
        # before their session is taken from them, and again with the list locked
        await asyncio.to_thread(self._identities.check, username, among)
        tell = await asyncio.to_thread(self._identities.messenger)
        if tell is None:
            written = await asyncio.to_thread(write)
            await self._await_change()  # there may be one that is starting, or cannot be found
            return written
        async with self._held(username, queue=queue):
            written = await asyncio.to_thread(write)
        async with self._held(username, queue=queue):
            # without a pause: until it is told, the owner may come back with what was taken away
            tell()
            await self._await_change()
        async with self._held(username, queue=queue):
            return written  # and whoever came back in between is gone as well

    @asynccontextmanager
    async def _held(self, username: str, *, queue: bool) -> AsyncIterator[None]:
        try:
            keeper = await asyncio.to_thread(self._identities.kept, KEEPER)
        except UnknownIdentity:  # the broker that runs was started by an older version
            yield
            return
        async with held(username, self._identities.keeper_socket, keeper, queue=queue):
            yield

    async def faults(self) -> list[str]:
        return []  # we set it up: `broker.config.check` looks at that

    async def _add(self, username: str, add: Callable[[], str]) -> str:
        password = await asyncio.to_thread(add)
        await self._await_first(username, password)
        return password

    async def _await_first(self, username: str, password: str) -> None:
        """Return once somebody new is let in; a name that opens nothing is taken back."""
        try:
            await self._await_active(username, password)
        except BrokerUnreachable:
            await asyncio.to_thread(self._identities.remove, username)
            raise

    async def _await_active(self, username: str, password: str) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ACTS_WITHIN
        while True:
            try:
                await await_active(self._endpoint(username, password), within_s=TELL_AGAIN)
            except ConnectFailed as error:
                if loop.time() >= deadline:
                    raise _unreachable(error) from error
                await asyncio.to_thread(self._identities.reload)
            else:
                return

    async def _await_change(self) -> None:
        """Return once the broker has read what was last written; one that starts later reads it then."""
        if not await asyncio.to_thread(self._identities.is_served):
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ACTS_WITHIN
        again = loop.time() + TELL_AGAIN
        while True:
            if loop.time() >= again:
                again += TELL_AGAIN
                await asyncio.to_thread(self._identities.reload)
            try:
                kept = await asyncio.to_thread(self._identities.kept, CHANGES)
                # a change made meanwhile by somebody else has another password
                await await_active(self._endpoint(kept.username, kept.password), within_s=ACTIVE_EVERY)
            except UnknownIdentity:
                await asyncio.sleep(ACTIVE_EVERY)
            except ConnectFailed as error:
                if loop.time() >= deadline:
                    raise _unreachable(error) from error
                await asyncio.sleep(ACTIVE_EVERY)
            else:
                return

    def _endpoint(self, username: str, password: str) -> Endpoint:
        return replace(self._broker, username=username, password=password)


def _unreachable(error: ConnectFailed) -> BrokerUnreachable:
    return BrokerUnreachable(
        f"The broker does not act on the change, it will when it starts again ({error.reason})."
    )

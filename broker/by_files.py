"""The identities of our own broker, through its files: `Administration` for a supervised one.

A method returns once the broker has read its files again, as far as a CONNECT can prove it.
"""

import asyncio

from broker.identities import Identities, await_active
from broker.rights import Role
from broker.session import Endpoint


class ByFiles:
    """Everybody who may connect to the broker of one folder. `door`: where that broker listens."""

    def __init__(self, identities: Identities, door: Endpoint) -> None:
        self._identities = identities
        self._door = door

    async def add_user(self, username: str, role: Role) -> str:
        """Give a person or program its name and the rights of a role; its password."""
        password = await asyncio.to_thread(self._identities.add_user, username, role)
        await self._let_in(username, password)
        return password

    async def rotate(self, username: str) -> str:
        """Replace a password; the new one."""
        password = await asyncio.to_thread(self._identities.rotate, username)
        await self._let_in(username, password)
        return password

    async def remove(self, username: str) -> None:
        """Take a name away."""
        await asyncio.to_thread(self._identities.remove, username)

    async def _let_in(self, username: str, password: str) -> None:
        door = self._door
        await await_active(Endpoint(door.host, door.port, username, password, door.tls))

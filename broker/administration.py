"""Who administers a broker's identities: ours through its files, a remote one through its own plugin.

One protocol, so that whoever invites, revokes or rotates does not know which it is. When a
method returns, the broker acts on it: somebody new is let in, somebody gone is out.
"""

from collections.abc import Collection
from typing import Protocol

from broker.rights import ANYBODY, Role


class Administration(Protocol):
    """The identities of one broker. Every password is a random token, said once and not kept.

    All methods raise `IdentityError` (or one of its kinds: `NameTaken`, `BadName`,
    `UnknownIdentity`) with a sentence for a person, and `BrokerUnreachable` when the broker
    cannot be asked or does not act in time.

    `among`: a name that has another role is left as it is (`NameTaken`). Who changes a device says
    so: what the store calls a device may be a user here, whose rights must not be given away.
    """

    bound: int | None  # how many identities it carries well; None: as many as there is room for

    async def add_device(self, device_id: str) -> str:
        """Give a device its name and rights; its password."""

    async def add_user(self, username: str, role: Role) -> str:
        """Give a person or program its name and the rights of a role; its password."""

    async def add_joining(self, invite_id: str, password: str) -> None:
        """Let `join-{invite_id}` in with this password, to ask for a place and to hear the answer."""

    async def rotate(self, username: str, *, among: Collection[Role] = ANYBODY) -> str:
        """Replace a password, and end a session that was opened with the old one; the new one."""

    async def suspend(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        """Shut somebody out for a while: the session ends, name and password stay theirs."""

    async def resume(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        """Let somebody in again that was shut out; nothing happens if nobody was."""

    async def remove(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        """Take a name away, whose it is; the session and its queued messages end with it."""

    async def faults(self) -> list[str]:
        """What in the broker's own setup undoes what is promised here, one sentence each."""

    async def all(self) -> dict[str, Role]:
        """Everybody who has a name, by name; also who is shut out for a while."""

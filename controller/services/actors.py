"""Who asks: a person or program with a role, through a door."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from schemas.commands import Via

# Doors of people whose words nobody signs: they are as trustworthy as the broker they came by.
FORGEABLE = frozenset({Via.MQTT, Via.HOME_ASSISTANT})


class Role(StrEnum):
    """What a user may reach at most, on every device; the device's policy profile narrows it further.

    A guest sees nothing but the devices that a grant opens.
    """

    GUEST = "guest"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody has on one device, or on every device of a group, and nowhere else."""

    role: Role
    device_id: str | None = None
    group: str | None = None

    def covers(self, device_id: str, groups: Collection[str]) -> bool:
        """Whether it speaks of this device."""
        return self.device_id == device_id or (self.group is not None and self.group in groups)


@dataclass(frozen=True, slots=True)
class KeyBounds:
    """What an API key leaves of its owner's rights. `devices`: patterns of ids; none of them: every device."""

    key_id: str
    scopes: frozenset[str]
    devices: tuple[str, ...] = ()

    def may(self, noun: str, verb: str) -> bool:
        """Whether the key opens this. Whoever may write may read."""
        return f"{noun}:write" in self.scopes or f"{noun}:{verb}" in self.scopes

    def covers(self, device_id: str) -> bool:
        """Whether it opens anything of this device."""
        return not self.devices or any(fnmatchcase(device_id, pattern) for pattern in self.devices)


@dataclass(frozen=True, slots=True)
class Actor:
    """One user at one door. The assistant has no actor of its own: it borrows the speaker's.

    `role` holds on every device, a grant adds to it, and a key takes away from both.
    """

    user: str
    role: Role
    via: Via
    grants: tuple[Grant, ...] = ()
    key: KeyBounds | None = None

    @property
    def sees_all(self) -> bool:
        """Whether no device is hidden from them."""
        return self.role is not Role.GUEST and not self.is_narrowed

    @property
    def is_narrowed(self) -> bool:
        """Whether they come with a key that is for some devices only."""
        return self.key is not None and bool(self.key.devices)

    def role_on(self, device_id: str, groups: Collection[str]) -> Role:
        """What they may reach on one device."""
        if self.key is not None and not self.key.covers(device_id):
            return Role.GUEST
        granted = (grant.role for grant in self.grants if grant.covers(device_id, groups))
        return max((self.role, *granted), key=lambda role: role.rank)


def assisted(actor: Actor) -> Actor:
    """The user whom the assistant speaks for; whose words can be forged stays known by their door."""
    return actor if actor.via in FORGEABLE else through(actor, Via.ASSISTANT)


def through(actor: Actor, via: Via) -> Actor:
    """The same user at another door, with the same rights."""
    return Actor(actor.user, actor.role, via, actor.grants, actor.key)

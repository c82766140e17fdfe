"""Who asks: a person or program with a role, through a door."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.commands import Via

# Doors of people whose words nobody signs: they are as trustworthy as the broker they came by.
FORGEABLE = frozenset({Via.MQTT, Via.HOME_ASSISTANT})


class Role(StrEnum):
    """What a user may reach at most; the device's policy profile narrows it further."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """One user at one door. The assistant has no actor of its own: it borrows the speaker's."""

    user: str
    role: Role
    via: Via


def assisted(actor: Actor) -> Actor:
    """The user whom the assistant speaks for; whose words can be forged stays known by their door."""
    return actor if actor.via in FORGEABLE else through(actor, Via.ASSISTANT)


def through(actor: Actor, via: Via) -> Actor:
    """The same user at another door, with the same rights."""
    return Actor(actor.user, actor.role, via)

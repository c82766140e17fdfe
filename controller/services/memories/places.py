"""For whom something is remembered, who said it, and who may see and change it."""

from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session

from controller.errors import InvalidArguments, Refused, UnknownSession
from controller.services import devices
from controller.services.actors import FORGEABLE, Actor, Role
from controller.services.sight import Sight
from controller.store.tables import Conversation


class Scope(StrEnum):
    """For whom something is remembered."""

    GLOBAL = "global"
    USER = "user"
    DEVICE = "device"
    SESSION = "session"


class Source(StrEnum):
    """Who said it. What a `device` said is data, never an order."""

    PERSON = "person"
    ASSISTANT = "assistant"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a memory is kept. `owner`: a user, a device or a conversation; empty for `global`."""

    scope: Scope
    owner: str = ""


def own(actor: Actor) -> Place:
    """Where a user's own memory is."""
    return Place(Scope.USER, actor.user)


def may_see(session: Session, place: Place, *, actor: Actor) -> bool:
    """Whether this user may look there."""
    match place.scope:
        case Scope.GLOBAL:
            return True
        case Scope.DEVICE:
            return Sight(session, actor).sees(place.owner)
        case Scope.USER:
            return place.owner == actor.user or actor.role is Role.ADMIN
        case Scope.SESSION:
            row = session.get(Conversation, place.owner)
            return row is not None and (row.user == actor.user or actor.role is Role.ADMIN)


def check_change(session: Session, place: Place, *, actor: Actor) -> None:
    """Make sure that this user may keep and remove things there.

    Raises:
        Refused: it is not theirs, or not by this door.
        InvalidArguments: the scope has no such owner.
        UnknownDevice: there is no such device.
        UnknownSession: there is no such conversation.
    """
    if (place.scope is Scope.GLOBAL) is not (place.owner == ""):
        raise InvalidArguments("Every scope has an owner, but for global, which has none.")
    role = actor.role
    if place.scope is Scope.DEVICE:
        sight = Sight(session, actor)
        sight.check(place.owner)
        devices.get(session, place.owner)
        role = sight.role_on(place.owner)
    if place.scope in {Scope.GLOBAL, Scope.DEVICE}:
        if role.rank < Role.OPERATOR.rank:
            raise Refused(f"A {role.value} remembers for themselves only; this is everybody's.")
        if actor.via in FORGEABLE:
            raise Refused("What comes by MQTT is remembered for its user only: a broker can forge it.")
    elif place.scope is Scope.SESSION and not may_see(session, place, actor=actor):
        raise UnknownSession(place.owner)
    elif not may_see(session, place, actor=actor):
        raise Refused(f"What {place.owner!r} has remembered is theirs.")

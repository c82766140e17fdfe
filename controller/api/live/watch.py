"""What one reader watches: the messages that they asked for, as far as they see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.api.live.messages import NOUNS, Kind, Message, Part
from controller.errors import Refused
from controller.services.actors import Actor, Role
from controller.services.sight import Sight
from controller.store.store import Session

NOUN = "stream"  # what an API key is to open so that it gets anything here at all


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asked for; nothing named is everything."""

    kinds: frozenset[Kind] = frozenset()
    devices: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Watch:
    """What a reader gets. Two that are equal get the same bytes. `roles`: on the devices that they see."""

    actor: Actor
    wanted: Wanted
    kinds: frozenset[Kind]
    roles: frozenset[tuple[str, Role]]
    _sight: Sight = field(compare=False, repr=False)

    @classmethod
    def of(cls, session: Session, actor: Actor, wanted: Wanted) -> "Watch":
        """What somebody may watch now of what they want.

        Raises:
            Refused: they come with an API key that opens nothing of it.
        """
        kinds = wanted.kinds or frozenset(Kind)
        if actor.key is not None:
            key = actor.key
            if not key.may(NOUN, "read"):
                raise Refused(f"The API key does not open {NOUN}:read.")
            kinds = frozenset(kind for kind in kinds if key.may(NOUNS[kind], "read"))
        if not kinds:
            needed = sorted({f"{NOUNS[kind]}:read" for kind in wanted.kinds or Kind})
            raise Refused(
                f"The API key opens nothing of what is on the stream: that takes {', '.join(needed)}."
            )
        sight = Sight(session, actor).kept()
        roles: Mapping[str, Role] = {} if sight.is_the_same_everywhere else sight.roles
        return cls(actor, wanted, kinds, frozenset(roles.items()), sight)

    @property
    def is_the_same_everywhere(self) -> bool:
        """Whether it does not depend on which devices there are."""
        return self._sight.is_the_same_everywhere

    def part(self, message: Message) -> Part | None:
        """How much of a message goes to them; None: nothing."""
        if message.kind not in self.kinds:
            return None
        wanted = self.wanted
        if wanted.commands and message.command_id not in wanted.commands:
            return None
        if wanted.devices and wanted.devices.isdisjoint(message.concern.devices):
            return None
        return message.concern.part(self._sight)

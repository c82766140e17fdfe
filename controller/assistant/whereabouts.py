"""Where a sentence can be meant to act, found by code before a model is asked.

A model chooses among these; it never widens them. A device that is named but not
known is asked about, and a change on a device that nobody named is looked at by a person.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from controller.assistant.candidates import KnownDevice, Reading, mentioned, rank
from controller.assistant.intent import language_of
from controller.assistant.offline import Question
from controller.assistant.toolbox import MAX_DEVICES

NAMED = 10.0  # the score from which a device was named outright
_PHRASE = re.compile(
    r"\b(?:op|on|van|from|of|bij|at|naar|to)\s+(?:mijn|my|onze|our|de|het|the|deze|this)\s+(?P<name>[\w-]+)",
    re.IGNORECASE,
)
_MACHINES = re.compile(
    r"(?:laptop|notebook|macbook|pc|computer|desktop|server|nas|printer|workstation|machine|tablet|telefoon|phone"
    r"|raspberry|pi|tv|router|werkstation)s?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The devices a turn may reach. `sure`: those a change needs no second look for."""

    candidates: tuple[KnownDevice, ...]
    sure: frozenset[str]
    question: Question | None = None
    dutch: bool = False

    def doubts(self, device_id: str) -> list[str]:
        """Why a person should look at a change on this device."""
        if not device_id or device_id in self.sure:
            return []
        if self.dutch:
            return [f"U hebt {device_id} niet zelf genoemd."]
        return [f"You did not name {device_id} yourself."]


def find(text: str, devices: Sequence[KnownDevice], *, here: str | None, chosen: str | None) -> Whereabouts:
    """The candidates of a sentence, best first."""
    dutch = language_of(text) == "nl"
    by_id = {device.device_id: device for device in devices}
    if chosen in by_id:
        return Whereabouts((by_id[chosen],), frozenset({chosen}), dutch=dutch)
    ranked = rank(text, devices, limit=MAX_DEVICES)
    named = tuple(each.device for each in ranked if each.score >= NAMED)
    if len(named) == 1:
        return Whereabouts(named, frozenset({named[0].device_id}), dutch=dutch)
    if named:
        return Whereabouts(named, frozenset(), dutch=dutch)
    if question := _unknown_machine(text, devices, dutch=dutch):
        return Whereabouts((), frozenset(), question, dutch=dutch)
    if here in by_id:
        return Whereabouts((by_id[here],), frozenset({here}), dutch=dutch)
    sure = frozenset(by_id) if len(by_id) == 1 else frozenset[str]()
    return Whereabouts(tuple(each.device for each in ranked), sure, dutch=dutch)


def _unknown_machine(text: str, devices: Sequence[KnownDevice], *, dutch: bool) -> Question | None:
    """The question to ask when a sentence names a machine that nobody here is called."""
    for match in _PHRASE.finditer(text[:2000]):
        name = match["name"]
        if not _MACHINES.fullmatch(name):
            continue
        mention = mentioned(name, devices)
        if mention.reading in (Reading.UNKNOWN, Reading.SEVERAL):
            options = tuple(device.label for device in (mention.devices or devices)[:8])
            asked = (
                f"Welk apparaat bedoelt u met “{name}”?"
                if dutch
                else f"Which device do you mean by “{name}”?"
            )
            return Question(asked, options, name)
    return None

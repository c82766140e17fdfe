"""What a template's slots can hold: patterns over coded words, from one word to the rest of a sentence."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from controller.assistant.offline.tokens import GLOB, PATH, QUOTED, STOP

_W = rf" [^ {STOP},:;{QUOTED}-{GLOB}][^ ]*"
_PART = rf"(?: {PATH}|{_W})"
_NAME = rf"(?: {QUOTED}|{_PART}(?:{_PART}){{0,6}}?)"
_AND = rf"(?: ,)?(?: {STOP}(?:en|and|plus|&)| ,)"
_IT = rf" {STOP}(?:it|hem|het|die|deze|dat|that|this)"
_DET = rf" {STOP}?(?:de|het|een|the|a|an|my|mijn)"


@dataclass
class Names:
    """Pattern groups need names of their own; a slot may stand in several alternatives."""

    used: dict[str, int] = field(default_factory=dict)

    def slot(self, name: str, nouns: frozenset[str]) -> str:
        """The pattern of one slot, as a group of its own."""
        number = self.used[name] = self.used.get(name, 0) + 1
        return f"(?P<{name}__{number}>{_slot_pattern(name, nouns)})"


@lru_cache(maxsize=64)
def _slot_pattern(name: str, nouns: frozenset[str]) -> str:
    noun = f"(?: (?:{'|'.join(sorted(map(re.escape, nouns)))}))"
    each = rf"(?:(?:{_DET})?{noun}?{_NAME})"
    own = rf"(?: {STOP}?(?:mijn|my|the|de|het|our|onze))?"
    patterns = {
        "paths": rf"(?:{each}(?:{_AND}{each}){{0,9}})",
        "path": rf"(?:{_NAME}|{_IT})",
        "newname": rf"(?:{own}{_NAME})",
        "newnames": rf"(?:{own}{each}(?:{_AND}{each}){{0,9}})",
        "parent": rf"(?:{_NAME}|{_IT})",
        "text": rf" {QUOTED}",
        "words": rf"(?:{_W}){{1,8}}?",
        "tail": r"(?: \S+){1,40}?",
        "rest": r"(?: \S+)+?",
        "pattern": rf"(?: {GLOB}| {QUOTED}| {PATH}|{_W})",
        "number": r" \d{1,9}",
        "bare": rf"(?: {QUOTED}| {PATH}|{_W})",
        "title": rf" {QUOTED}",
        "globs": rf" {GLOB}",
        "filepattern": rf" [{QUOTED}-{GLOB}]",
        "filepath": rf"(?: {QUOTED}|(?:{_W}){{0,4}}? {PATH})",
        "filepaths": rf"(?: [{QUOTED}{PATH}](?:{_AND} [{QUOTED}{PATH}]){{0,9}})",
        "sources": rf"(?:(?:{each}(?:{_AND}{each}){{0,9}})|{_IT})",
        "source": rf"(?:{_NAME}|{_IT})",
        "device": rf"(?: {QUOTED}|(?: {STOP}?(?:de|het|the|my|mijn|our|onze|this|deze|dit|that|die|jouw|your))?(?:{_PART}){{1,5}}?)",
    }
    return patterns.get(name, _NAME)

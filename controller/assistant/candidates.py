"""Which devices a text can mean: by name, alias, host name, id, group and area.

Pure: it ranks and resolves what it is given and reads nothing else. A name is
never stretched: what is only nearly a device's name says so (`repaired`).
"""

import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import islice

from rapidfuzz import process
from rapidfuzz.distance import OSA

from controller.assistant.language import DUTCH, ENGLISH, parts

LONGEST_NAME = 6  # words
MAX_WORDS = 80  # of a text that are looked at
MAX_GUESSES = 8  # words of a text that are compared by spelling


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """What code knows of one device that the actor may see."""

    device_id: str
    name: str | None
    aliases: tuple[str, ...]
    hostname: str | None
    groups: tuple[str, ...] = ()
    area: str | None = None
    online: bool = False
    tools: frozenset[str] = frozenset()
    windows: bool = False
    apps: tuple[str, ...] = ()
    last_used_at: datetime | None = None

    @property
    def label(self) -> str:
        """How the device is called in a question to a person."""
        if self.name and self.name != self.device_id:
            return f"{self.name} ({self.device_id})"
        return self.device_id


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device and how well the text fits it; 0 means: not mentioned at all."""

    device: KnownDevice
    score: float


class Reading(StrEnum):
    """What a phrase says about devices."""

    ONE = "one"
    SEVERAL = "several"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Mention:
    """The devices a phrase names. `repaired`: only by mending its spelling or completing it."""

    reading: Reading
    devices: tuple[KnownDevice, ...] = ()
    repaired: bool = False


@lru_cache(maxsize=16_384)
def _given(name: str | None, aliases: tuple[str, ...], device_id: str) -> tuple[tuple[str, ...], ...]:
    """What people call a device."""
    return _as_words(device_id, name, *aliases)


@lru_cache(maxsize=16_384)
def _own(hostname: str | None) -> tuple[tuple[str, ...], ...]:
    """What a device calls itself."""
    return _as_words(hostname, hostname.split(".", 1)[0]) if hostname else ()


def _as_words(*names: str | None) -> tuple[tuple[str, ...], ...]:
    found = dict.fromkeys(parts(each) for each in names if each)
    return tuple(each for each in found if each)


class Directory:
    """The names of some devices, indexed once and asked often."""

    def __init__(self, devices: Sequence[KnownDevice]) -> None:
        self.devices = tuple(devices)
        self._exact: defaultdict[str, list[int]] = defaultdict(list)
        self._as_given: defaultdict[str, list[int]] = defaultdict(list)
        self._words: defaultdict[str, list[int]] = defaultdict(list)
        self._names: list[tuple[tuple[str, ...], ...]] = []
        for number, device in enumerate(self.devices):
            given = _given(device.name, device.aliases, device.device_id)
            for name in given:
                self._as_given["".join(name)].append(number)
            names = tuple(dict.fromkeys((*given, *_own(device.hostname))))
            self._names.append(names)
            for name in names:
                self._exact["".join(name)].append(number)
                for word in name:
                    self._words[word].append(number)
        self._spellings: list[str] | None = None
        self._about: defaultdict[str, list[int]] | None = None
        self._usual: list[int] | None = None

    def exact(self, words: Sequence[str]) -> tuple[KnownDevice, ...]:
        """The devices that have exactly this name, written with or without spaces.

        What people call one goes before what another calls itself.
        """
        said = "".join(words)
        return self._pick(self._as_given.get(said, []) or self._exact.get(said, []))

    def resolve(self, phrase: str) -> Mention:
        """Which device this phrase names: exactly, in part, or nearly (in that order)."""
        words = parts(phrase)
        if not words:
            return Mention(Reading.NONE)
        if found := self.exact(words):
            return _mention(found, repaired=False)
        if found := self._in_part(words):
            return _mention(found, repaired=True)
        if found := self._nearly(words):
            return _mention(found, repaired=True)
        return Mention(Reading.UNKNOWN)

    def nearly(self, words: Sequence[str]) -> Mention:
        """The devices whose whole name is this one but for a typing error."""
        found = self._nearly(words)
        return _mention(found, repaired=True) if found else Mention(Reading.UNKNOWN)

    def _pick(self, numbers: Iterable[int]) -> tuple[KnownDevice, ...]:
        return tuple(self.devices[number] for number in dict.fromkeys(numbers))

    def _in_part(self, words: tuple[str, ...]) -> tuple[KnownDevice, ...]:
        if all(len(word) < 3 or word.isdigit() for word in words):
            return ()
        common: set[int] | None = None
        for word in words:
            numbers = self._words.get(word)
            if numbers is None:
                return ()
            common = set(numbers) if common is None else common & set(numbers)
        wanted = set(words)
        return self._pick(
            number
            for number in sorted(common or ())
            if any(wanted <= set(name) for name in self._names[number])
        )

    def _nearly(self, words: Sequence[str]) -> tuple[KnownDevice, ...]:
        squeezed = "".join(words)
        allowed = _slips(squeezed)
        if not allowed:
            return ()
        if self._spellings is None:
            self._spellings = list(self._exact)
        close = process.extract(squeezed, self._spellings, scorer=OSA.distance, score_cutoff=allowed, limit=8)
        close = [each for each in close if _same_numbers(squeezed, words, each[0])]
        if not close:
            return ()
        nearest = min(each[1] for each in close)
        return self._pick(n for each in close if each[1] == nearest for n in self._exact[each[0]])

    def rank(self, text: str, limit: int) -> list[Candidate]:
        """See `rank`."""
        words = parts(text[: MAX_WORDS * 12])[:MAX_WORDS]
        scores: defaultdict[int, float] = defaultdict(float)
        for start in range(len(words)):
            for end in range(start + 1, min(start + LONGEST_NAME, len(words)) + 1):
                for number in self._exact.get("".join(words[start:end]), ()):
                    scores[number] = max(scores[number], 10.0 + end - start)
        about = self._all_words()
        for word in dict.fromkeys(words):
            numbers = about.get(word, ())
            for number in islice(numbers, 200):
                scores[number] += 1.0 + 2.0 / len(numbers)
        if not scores:
            self._guess(words, scores)
        usual = self._most_usual()
        for place, number in enumerate(usual[: limit * 4]):
            scores[number] += 0.5 * (1 - place / (limit * 4))
        best = sorted(scores, key=lambda number: (-scores[number], number))[:limit]
        return [Candidate(self.devices[number], round(scores[number], 3)) for number in best]

    def _guess(self, words: Sequence[str], scores: defaultdict[int, float]) -> None:
        about = self._all_words()
        strange = [w for w in dict.fromkeys(words) if len(w) > 3 and w not in DUTCH and w not in ENGLISH]
        known = list(about)
        for word in strange[:MAX_GUESSES]:
            near = process.extractOne(word, known, scorer=OSA.distance, score_cutoff=_slips(word))
            if near is not None:
                for number in islice(about[near[0]], 200):
                    scores[number] += 1.0

    def _all_words(self) -> defaultdict[str, list[int]]:
        if self._about is None:
            about: defaultdict[str, list[int]] = defaultdict(list)
            for number, device in enumerate(self.devices):
                extra = [parts(each) for each in (*device.groups, device.area) if each]
                for word in dict.fromkeys(w for each in (*self._names[number], *extra) for w in each):
                    about[word].append(number)
            self._about = about
        return self._about

    def _most_usual(self) -> list[int]:
        if self._usual is None:
            self._usual = sorted(
                range(len(self.devices)),
                key=lambda n: (
                    not self.devices[n].online,
                    -(used.timestamp() if (used := self.devices[n].last_used_at) else 0.0),
                ),
            )
        return self._usual


def directory(devices: Sequence[KnownDevice]) -> Directory:
    """The index of these devices; the last one made is kept while the devices are the same objects."""
    latest = _latest[0]
    if len(latest.devices) == len(devices) and all(map(operator.is_, latest.devices, devices)):
        return latest
    _latest[0] = made = Directory(devices)
    return made


def rank(text: str, devices: Sequence[KnownDevice], *, limit: int = 8) -> list[Candidate]:
    """The devices a text can mean, best first, at most `limit` whatever the number of devices.

    Devices that the text does not mention fill the list up, online and recently
    used ones first, so that a model always has some to choose from.
    """
    return directory(devices).rank(text, limit)


def mentioned(phrase: str, devices: Sequence[KnownDevice]) -> Mention:
    """Which of the devices a phrase such as `werkplaats-pc` names."""
    return directory(devices).resolve(phrase)


def meant(devices: Sequence[KnownDevice], device_id: str | None) -> Sequence[KnownDevice]:
    """The same devices, but that nobody else is called by the id of the one that a person chose."""
    if device_id is None:
        return devices
    said = "".join(parts(device_id))

    def is_other(name: str | None) -> bool:
        return name is None or "".join(parts(name)) != said

    return [
        each
        if each.device_id == device_id or all(map(is_other, (each.name, *each.aliases)))
        else replace(
            each,
            name=each.name if is_other(each.name) else None,
            aliases=tuple(filter(is_other, each.aliases)),
        )
        for each in devices
    ]


def _mention(found: tuple[KnownDevice, ...], *, repaired: bool) -> Mention:
    return Mention(Reading.ONE if len(found) == 1 else Reading.SEVERAL, found, repaired)


def _slips(name: str) -> int:
    """How many typing errors a name of this length may hold."""
    if len(name) < 4:
        return 0
    return 1 if len(name) < 6 else 2 if len(name) < 12 else 3


def _same_numbers(squeezed: str, words: Sequence[str], other: str) -> bool:
    # laptop-2 is not a misspelt laptop-3, nor is pc-a a misspelt pc-b
    if [c for c in squeezed if c.isdigit()] != [c for c in other if c.isdigit()]:
        return False
    tail = words[-1]
    return len(words) == 1 or len(tail) > 2 or other.endswith(tail)


_latest = [Directory(())]

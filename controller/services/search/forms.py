"""How else a word may be spelled: in Dutch and in English, by rules that need no dictionary.

The texts are of both languages and of neither, so no rule knows which it is: a form that is no word
finds nothing. A word of digits, or of letters beyond a to z, has no other form.
"""

import re
from collections.abc import Iterator

MAX_FORMS = 64  # of one word; each is looked up
LEAST = 3  # letters that remain when an ending is taken away
LONG = 5  # letters that remain without "-er": "print|er", but no "wat|er"
LONGEST = 40  # letters of a word that has forms

_PLAIN = re.compile("[a-z]+")
_DOUBLED = re.compile(r"([bcdfgklmnprstvz])\1$")  # mapp|en, stopp|ed
_CLOSED = re.compile("(?:^|[^aeiou])[aeiou][bdfgklmnprst]$")  # map, stop: doubled before an ending
_OPEN = re.compile("(?:^|[^aeiou])([aeou])([bdfgklmnprst])$")  # del|en: of "deel"
_LONG = re.compile(r"([aeou])\1([bdfgklmnprst])$")  # deel: of "delen"
_VOICED = {"v": "f", "z": "s"}  # schijv|en: of "schijf"
_VOICELESS = {"f": "v", "s": "z"}  # huis: of "huizen"

_TAKEN = ("en", "e", "s", "es", "ed", "ing", "ings", "je", "tje", "jes", "tjes")
_GIVEN = ("en", "s", "ing", "ed", "e", "er", "ers", "es", "je", "ingen", "ings")


def forms(word: str) -> tuple[str, ...]:
    """The word and its other forms; the word comes first."""
    if not (LEAST <= len(word) <= LONGEST and _PLAIN.fullmatch(word)):
        return (word,)
    stems = dict.fromkeys([word, *_stems(word)])
    stems |= dict.fromkeys(each for stem in list(stems) for each in _stems(stem))  # meld|ing|en
    found = stems | dict.fromkeys(each for stem in stems for each in _ended(stem))
    return tuple(found)[:MAX_FORMS]


def _stems(word: str) -> Iterator[str]:
    for ending in _TAKEN:
        rest = word.removesuffix(ending)
        if rest == word or len(rest) < LEAST or (ending == "s" and rest.endswith("s")):
            continue
        yield from _as_alone(rest)
        if ending in ("ed", "ing", "es"):
            yield rest + "e"  # cach|ing
    for ending in ("er", "ers"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= LONG:
            yield from _as_alone(rest)
    if word.endswith("ies") and len(word) > LEAST + 2:
        yield word[:-3] + "y"


def _as_alone(rest: str) -> Iterator[str]:
    """What is left without an ending, as it is spelled by itself."""
    if _DOUBLED.search(rest) and len(rest) > LEAST:
        yield rest[:-1]
    elif rest[-1] in _VOICED:
        yield rest[:-1] + _VOICED[rest[-1]]
    yield rest
    if _OPEN.search(rest):
        yield _OPEN.sub(_lengthened, rest)
        yield rest + "e" if rest[-1] != "e" else rest
    if rest[-1] in _VOICED and _OPEN.search(short := rest[:-1] + _VOICED[rest[-1]]):
        yield _OPEN.sub(_lengthened, short)  # lez|en: "lees"


def _lengthened(found: re.Match[str]) -> str:
    return found[0][:-1] + found[1] + found[2]


def _ended(stem: str) -> Iterator[str]:
    for ending in _GIVEN:
        if ending in ("er", "ers") and len(stem) < LONG - 1:
            continue
        if ending == "s":
            if not stem.endswith("s"):
                yield stem + ending
            continue
        yield from (each + ending for each in _before_an_ending(stem))
    if stem.endswith("e"):
        yield stem + "d"
    if stem.endswith("y") and stem[-2] not in "aeiou":
        yield stem[:-1] + "ies"


def _before_an_ending(stem: str) -> Iterator[str]:
    """A word as it is spelled before an ending that begins with a vowel."""
    if stem.endswith("e"):
        yield stem[:-1]
    elif long := _LONG.search(stem):
        short = stem[: long.start()] + long[1]
        yield short + _VOICELESS.get(long[2], long[2])
    elif _CLOSED.search(stem) and len(stem) <= LONG + 3:
        yield stem + stem[-1]
        yield stem
    else:
        yield stem
    if stem[-1] in _VOICELESS and not _LONG.search(stem):
        yield stem[:-1] + _VOICELESS[stem[-1]]

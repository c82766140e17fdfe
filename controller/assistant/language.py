"""Words as they are compared: Dutch and English, without case, accents or typographic quotes.

Folding is for comparing only. What a person wrote is never replaced by its folded form.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Language = Literal["nl", "en"]

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc`\u00b4", "'"))
_PARTS = re.compile(r"[^\W_]+")
# quoted text and paths say nothing about the language of the sentence they are in
_NAMES = re.compile(
    r"[\"\u201c\u201e\u00ab][^\"\u201d\u00bb]*[\"\u201d\u00bb]|(?<!\w)'[^']*'(?!\w)|(?<!\S)\S*[/\\.]\S+"
)
_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def word_set(words: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(words.split())


DUTCH = word_set(
    """
    aan hallo bedankt goedemorgen goedemiddag goedenavond verwijderd apparaat apparaten aanmaken afsluiten aub alsjeblieft alstublieft bestand bestanden daarin dan dat de deze die dit doe
    draait een eens en er even geef geen genaamd gooi graag haal heb hebben heeft hernoem herstart het hoe
    hoeveel hoi ik in inhoud is jij je kan kopieer kun kunt kopie laat lees maak maken mag map mapje mappen
    me met mij mijn moet naam naar niet nieuwe nu of om ook onze op open opnieuw ruimte schijf schrijf sluit
    staat staan start stuur toon uit uw van vanaf vanuit verplaats verwijder verwijderen voor waar waarom
    vergrendel herstarten afsluiten opstarten uitzetten aanzetten wanneer wat weg welk welke wie wil wilt worden wordt zet zie zien zijn zit zoek zou
    """
)
ENGLISH = word_set(
    """
    a about and any are at available can change close contents copy could create delete directory disk do
    does erase file files find folder for free from get give has have hello hey how i in inside into is it
    kill let list make many me move much my named need new of on open our out please put read remove
    reboot rename restart run say says search send show shut space start stop take tell thanks that the there this
    to turn up want what what's whats when where which who why with would write you your
    """
)

NEUTRAL = word_set("reboot boot root screenshot")  # spelled like Dutch, said in both


@lru_cache(maxsize=16_384)
def fold(word: str) -> str:
    """`Creëer` and `creeer` are one word, whatever apostrophe follows."""
    plain = word.translate(_APOSTROPHES).casefold()
    if plain.isascii():
        return plain
    apart = unicodedata.normalize("NFD", plain)
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


@lru_cache(maxsize=16_384)
def parts(name: str) -> tuple[str, ...]:
    """The words of a name: `Werkplaats-PC`, `werkplaats_pc` and `werkplaats pc` are the same two."""
    return tuple(_PARTS.findall(fold(name).replace("'", "")))


def language_of(text: str) -> Language:
    """The language to answer in: the one more of the words belong to, English when they tie."""
    words = _WORDS.findall(_NAMES.sub(" ", fold(text[:2000])))
    dutch = sum(word in DUTCH and word not in ENGLISH for word in words)
    english = sum(word in ENGLISH and word not in DUTCH for word in words)
    if dutch == english:
        dutch += sum(
            "ij" in word or "aa" in word or ("oo" in word and word.endswith("t"))
            for word in words
            if word not in NEUTRAL
        )
        dutch += any(word in DUTCH for word in words) and not any(word in ENGLISH for word in words)
    return "nl" if dutch > english else "en"

"""What a word is: letters and digits, in small letters, without accents. As both databases have it."""

import re
import unicodedata

_ACCENTS = re.compile("[\u0300-\u036f]+")
# a letter and the accent behind it may be two characters
SPELLED = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")


def fold(text: str) -> str:
    """A text in small letters without accents."""
    small = text.lower()
    if small.isascii():
        return small
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", small)))


def tokens(text: str) -> list[str]:
    """The words of a text, in order."""
    return [fold(found) for found in SPELLED.findall(text)]

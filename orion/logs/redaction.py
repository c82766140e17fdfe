"""What must not be read in a log: secrets that are known, and whatever looks like one.

No line is meant to hold one. This is the second wall, for the words of libraries and for tracebacks.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from orion.config.settings import Settings
from orion.config.sources import MASK, notes

LEAST = 6  # characters; a shorter one would be found in every other word

_NAMED = r"[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|authorization)"
_SHAPES = (
    # a header, as clients show it
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    # an API key of ours
    (re.compile(r"\borion_[0-9a-z]{12}_[\w-]{43}"), MASK),
    # what we and others sign for people
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), MASK),
    # the password in an address
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE), rf"\1:{MASK}@"),
    # name=value, and as JSON and Python show a member
    (re.compile(rf"\b({_NAMED}\s*=\s*)(?!=)([\"']?)[^\s\"',;&)}}\]]+\2", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(rf"((\\?[\"']){_NAMED}\\?[\"']\s*:\s*\\?)([\"'])(?:\\.|(?!\3).)*\3", re.IGNORECASE),
        rf"\1\3{MASK}\3",
    ),
    # a join code
    (re.compile(r"\b(?:[a-z2-7]{6}-){8,}[a-z2-7]+"), MASK),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), MASK),
)


class Redaction:
    """Takes secrets out of a text: those that are known, and those that look like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        longest_first = sorted({each for each in known if len(each) >= LEAST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def of(self, text: str) -> str:
        """The text without them."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for shape, mask in _SHAPES:
            text = shape.sub(mask, text)
        return text


def secrets_of(settings: Settings) -> Iterator[str]:
    """Every secret among the settings, also one within an address."""
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif value is not None and notes(field).get("masking") == "url":
            password = urlsplit(str(value)).password
            if password:
                yield from {password, unquote(password)}

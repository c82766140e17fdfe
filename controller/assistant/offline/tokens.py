"""A sentence as words that remember where they stood.

Arguments are cut from the person's own text by position, never rebuilt, so case,
accents and punctuation inside names survive. Quoted text is lifted first and may
hold anything.
"""

import re
import unicodedata
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace

from controller.assistant.language import fold

STOP = "·"  # before a word that cannot be part of an unquoted name
QUOTED, PATH, GLOB = "\ue000", "\ue001", "\ue002"
COMMA, COLON, END = ",", ":", ";"
LIFTED = {QUOTED, PATH, GLOB}

_PAIRS = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u201d": "\u201d",
    "\u201e": "\u201d\u201c",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
    "\u2039": "\u203a",
}
_OPENING = '"\u201c\u201e\u00ab\u2039`'
_RUN = re.compile(r"\S+")
_CLOSES = re.compile(r"[\s,.;:!?)\]]|$")
_EXTENSION = re.compile(
    r"^[^\s/\\:*?]+\.[A-Za-z][A-Za-z0-9]{0,9}$|^\.[A-Za-z][\w.-]*$|^[^\s/\\:*?]+\.(?:7z|mp3|mp4|3gp)$"
)
_DRIVE = re.compile(r"^[A-Za-z]:(?:[\\/]|$)")
_SPOKEN = {"and/or", "en/of", "a.u.b", "s.v.p", "m.a.w", "d.m.v", "o.k", "i.p.v", "e.g", "i.e"}
# short forms that are read as the words they stand for; what stands in the text stays as it is
_SHORT = {"vd": "van", "v/d": "van", "v/h": "van", "vh": "van", "w/": "with", "ur": "your", "mn": "mijn"}
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))
_PUNCTUATION = ".,;:!?)]}…"


class Unreadable(ValueError):
    """Text with an unclosed quote or characters that cannot be seen."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Token:
    """One word, quote or mark. `code` is what templates see; `start`, `end` cut the original text."""

    code: str
    start: int
    end: int
    word: str = ""  # folded; empty for marks and quotes
    upper: bool = False

    @property
    def stops(self) -> bool:
        return self.code.startswith(STOP)


def tokens(text: str, stop_words: Set[str]) -> list[Token]:
    """Read a sentence.

    Raises:
        Unreadable: a quote is not closed, or a character cannot be seen.
    """
    for character in text:
        category = unicodedata.category(character)
        if (
            category in {"Cc", "Cf", "Co", "Cs"} and character not in "\t\n\r\u200d\u00ad"
        ) or character == STOP:
            raise Unreadable("unreadable")
    raw = list(_scan(text))
    while raw and not raw[0].code:
        raw.pop(0)
    while raw and not raw[-1].code:
        raw.pop()
    return _mark(raw, stop_words)


def _scan(text: str) -> Iterator[Token]:
    position = 0
    while (run := _RUN.search(text, position)) is not None:
        start = run.start()
        while start < run.end() and text[start] in "([{" and not _closed(text[start : run.end()]):
            start += 1
        if start == run.end():
            position = start
            continue
        if text[start] in _PAIRS and (close := _closing(text, start)) is not None:
            yield Token(QUOTED, start + 1, close)
            position = close + 1
            continue
        if text[start] in _OPENING:
            raise Unreadable("unclosed")
        end = _cut(text, start, run.end())
        yield from _words(text, start, end)
        position = end


def _closed(run: str) -> bool:
    """Whether a bracket that opens in this run also closes in it: "(2024)" is one word."""
    return any(opening in run and closing in run[run.index(opening) :] for opening, closing in _BRACKETS)


def _closing(text: str, opening: int) -> int | None:
    if (
        opening + 1 < len(text)
        and text[opening] == "'"
        and text[opening + 1] in "st"
        and _CLOSES.match(text, opening + 2)
    ):
        return None  # 's avonds, 't
    for position in range(opening + 1, len(text)):
        if (
            text[position] in _PAIRS[text[opening]]
            and _CLOSES.match(text, position + 1)
            and position > opening + 1
        ):
            return position
    return None


def _cut(text: str, start: int, end: int) -> int:
    """Where this word ends: before a quote that follows a mark, or at a comma between words."""
    for position in range(start + 1, end):
        if text[position] in _PAIRS and text[position - 1] in ":=,(":
            return position
        if text[position - 1] == "," and not (
            text[position].isdigit() and text[position - 2 : position - 1].isdigit()
        ):
            return position
    return end


def _body(text: str, start: int, end: int) -> int:
    """Where a word ends and the punctuation behind it begins."""
    body = end
    while (
        body > start
        and text[body - 1] in _PUNCTUATION
        and not (text[body - 1] in ")]}" and _closed(text[start:body]))
    ):
        body -= 1
    if text[body:end].startswith("..") and body > start and text[body - 1] in "/\\":
        body += 2  # the folder above, rather than the end of a sentence
    return body


def _words(text: str, start: int, end: int) -> Iterator[Token]:
    body = _body(text, start, end)
    run = text[start:end]
    if run in {".", ".."} and (start == 0 or text[start - 1].isspace()):
        yield Token(PATH, start, end, run)
        return
    if _DRIVE.match(text[start:end]) and body == start + 1:
        body = start + 2
    if body > start:
        yield _word(text, start, body)
    if fold(text[start:body]) in _SPOKEN:
        return  # the point of "a.u.b." ends no sentence
    for mark in dict.fromkeys(text[body:end]):
        if mark == ",":
            yield Token(COMMA, body, end)
        elif mark == ":":
            yield Token(COLON, body, end)
        elif mark in ".;!?…":
            yield Token(END, body, end)
            break


def _word(text: str, start: int, end: int) -> Token:
    said = text[start:end]
    word = fold(said)
    upper = said[0].isupper() or said[0].isdigit()
    if word in _SPOKEN:
        return Token(word, start, end, word)
    if word in _SHORT and not upper:
        return Token(_SHORT[word], start, end, _SHORT[word])
    if "*" in said or "?" in said:
        return Token(GLOB, start, end, word, upper)
    if "/" in said or "\\" in said or said[0] == "~" or _DRIVE.match(said) or _EXTENSION.match(said):
        return Token(PATH, start, end, word, upper)
    if not any(c.isalnum() for c in said):
        # a dash or an ampersand joins; a smiley says nothing
        return Token(STOP + word if said.isascii() or said in "\u2013\u2014" else "", start, end, word)
    return Token(word, start, end, word, upper)


def _mark(raw: list[Token], stop_words: Set[str]) -> list[Token]:
    """Mark the words that cannot be in a name; a capital in mid-sentence says that one can."""
    written = [each for each in raw if each.word and each.code not in LIFTED and each.word[0].isalpha()]
    speaks = len(written) > 2 and not all(each.upper for each in written)
    marked: list[Token] = []
    opens = True
    for each in raw:
        if not each.code:
            each = replace(each, code=STOP)  # amid the words it may be part of a name
        named = each.upper and speaks and not opens and each.word not in {"i", "i'm", "i'd"}
        if each.code == each.word and each.word in stop_words and not named:
            each = Token(STOP + each.word, each.start, each.end, each.word, each.upper)
        marked.append(each)
        opens = each.code == END
    return marked

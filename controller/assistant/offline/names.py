"""What can be a name, where nobody put quotes around it.

A word that may be part of the command is none: in doubt the sentence is not understood.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from rapidfuzz.distance import OSA

from controller.assistant.candidates import Directory, Reading
from controller.assistant.offline.grammar import Vocabulary
from controller.assistant.offline.tokens import COMMA, END, LIFTED, PATH, QUOTED, STOP, Token
from controller.assistant.offline.wording import ADJECTIVES, NAMING

SHORT_WORD = 4
_FOLDERS = frozenset({"folder", "directory", "map", "mapje", "dir", "foldertje"})
_DESCRIBES = re.compile(r"(?:\w{3}est|ste|ed|able|ible|ful|less|ous|ish|lijk|lijke|ige|loze)$")
_OF = frozenset({"van", "of", "voor", "for"})
_LETTERS = frozenset({"a", "i", "u"})
_ENDS = {COMMA, END} | {
    STOP + word for word in ("en", "and", "in", "inside", "with", "met", "to", "naar", "aan")
}


def keep(words: Sequence[Token], vocabulary: Vocabulary, known: Directory, *, placed: bool) -> list[Token]:
    """The words, with small ones that belong to a name given back to it: "Foto's van Jan", "folder a".

    `placed`: the sentence names its device elsewhere, so "van Jan" cannot be one.
    """
    kept = list(words)
    for place, word in enumerate(kept):
        if not word.stops or place == 0:
            continue
        before = kept[place - 1]
        after = kept[place + 1] if place + 1 < len(kept) else None
        if word.word in _LETTERS:
            alone = after is None or after.code in _ENDS
            if alone and before.word in vocabulary.nouns | NAMING:
                kept[place] = replace(word, code=word.word)
        elif placed and word.word in _OF and after is not None:
            joins = not before.stops and before.code not in LIFTED and before.word not in vocabulary.nouns
            named = after.upper and not after.stops and after.code not in LIFTED
            if joins and named and known.resolve(after.word).reading is Reading.UNKNOWN:
                kept[place] = replace(word, code=word.word)
    return kept


def is_spaced_path(span: Sequence[Token]) -> bool:
    """Whether these words are one path with spaces, such as `~/My Documents`."""
    folder = "/" in span[0].word or "\\" in span[0].word
    return folder and all(each.upper or each.code == PATH for each in span[1:])


def is_phrase(span: Sequence[Token], words: Vocabulary, *, noun: bool) -> bool:
    """Whether these words are one name: behind its noun, or with a capital, and no command in it."""
    first, last = span[0], span[-1]
    if any(each.code in {QUOTED, COMMA} for each in span) or any(each.code == PATH for each in span[:-1]):
        return False
    if first.stops:
        return True  # "map mijn documenten": the slot let it in, behind its noun
    if not first.upper and (not noun or first.word in words.verbs or misspelt(first, words)):
        return False
    if last.code == PATH:
        return first.upper or not re.search(r"[/\\]", last.word)
    return not any(_commands(each, words) for each in span[1:])


def _commands(token: Token, words: Vocabulary) -> bool:
    """Whether a word of a name looks like a verb after all, in a form or spelling of its own."""
    if token.upper or token.code == PATH or token.word in words.real:
        return False
    near = len(token.word) > SHORT_WORD and any(
        OSA.distance(token.word, verb, score_cutoff=1) <= 1 for verb in words.verbs if len(verb) > SHORT_WORD
    )
    return near or token.word in words.verbs


def is_name_before_noun(token: Token, noun: str) -> bool:
    """Whether a word before "folder" is its name: "the backup folder" is, "the oldest folder" is not."""
    if token.upper or token.code in {QUOTED, PATH}:
        return True
    if token.stops or noun not in _FOLDERS or token.word in ADJECTIVES or len(token.word) < SHORT_WORD:
        return False
    dutch = noun in {"map", "mapje"}
    return not _DESCRIBES.search(token.word) and not (dutch and token.word.endswith("e"))


def misspelt(token: Token, words: Vocabulary) -> bool:
    """Whether this is rather "map" or "folder" with a typing error than a name."""
    if len(token.word) < SHORT_WORD or token.word in words.real:
        return False
    return any(OSA.distance(token.word, noun, score_cutoff=1) <= 1 for noun in words.nouns if len(noun) > 2)


def misspelt_end(token: Token, words: Vocabulary) -> bool:
    """Whether this is rather "please" with a typing error than the end of a name."""
    if len(token.word) < SHORT_WORD or token.word in words.real:
        return False
    return any(OSA.distance(token.word, each, score_cutoff=1) <= 1 for each in words.fillers if len(each) > 4)


def crowded(span: Sequence[Token]) -> bool:
    """Two single letters side by side: "A B en C" are three names rather than two."""
    return any(len(one.word) == len(two.word) == 1 and not two.stops for one, two in pairwise(span))


def listed(span: Sequence[Token]) -> Iterator[list[Token]]:
    """The names of a list, one by one."""
    part: list[Token] = []
    for each in span:
        if each.code in {COMMA, STOP + "en", STOP + "and", STOP + "plus", STOP + "&"}:
            if part:
                yield part
            part = []
        else:
            part.append(each)
    if part:
        yield part

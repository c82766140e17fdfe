"""Small words that belong to a name after all: "map Foto's van Jan", "create folder a".

Only where nothing else can be meant; everywhere else they end a name.
"""

from collections.abc import Sequence
from dataclasses import replace

from controller.assistant.candidates import Directory, Reading
from controller.assistant.offline.caught import NAMING
from controller.assistant.offline.grammar import Vocabulary
from controller.assistant.offline.tokens import COMMA, END, LIFTED, STOP, Token

_OF = frozenset({"van", "of", "voor", "for"})
_LETTERS = frozenset({"a", "i", "u"})
_ENDS = {COMMA, END} | {
    STOP + word for word in ("en", "and", "in", "inside", "with", "met", "to", "naar", "aan")
}


def keep(words: Sequence[Token], vocabulary: Vocabulary, known: Directory, *, placed: bool) -> list[Token]:
    """The words with such small words given back to the name they are in.

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

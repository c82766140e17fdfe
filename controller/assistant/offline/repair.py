"""Typing errors in command words, mended for understanding only.

Only words of the grammar are ever the remedy, and names are still cut from what
was typed, so a mended word never reaches an argument.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from rapidfuzz import process
from rapidfuzz.distance import OSA

from controller.assistant.offline.grammar import Vocabulary
from controller.assistant.offline.tokens import LIFTED, Token
from controller.assistant.offline.wording import HARDWARE

SHORT = frozenset({"map", "een", "the"})  # short words that are worth mending
MAX_WORDS = 5
MAX_ATTEMPTS = 36


def repairs(words: Sequence[Token], vocabulary: Vocabulary) -> Iterator[tuple[Token, ...]]:
    """Readings of the sentence with one, two, three … suspicious words mended, fewest first."""
    shouting = all(each.upper for each in words if each.word)
    remedies: list[tuple[int, str]] = []
    for place, word in enumerate(words):
        if not (word.upper and not shouting and place > 0):
            remedies.extend((place, remedy) for remedy in _remedies(word, vocabulary))
    attempts = 0
    for size in range(1, MAX_WORDS + 1):
        for chosen in combinations(remedies[: 2 * MAX_WORDS], size):
            if len({place for place, _ in chosen}) < size:
                continue
            attempts += 1
            if attempts > MAX_ATTEMPTS:
                return
            mended = list(words)
            for place, remedy in chosen:
                mended[place] = replace(words[place], code=remedy, word=remedy)
            yield tuple(mended)


def like_a_negation(words: Sequence[Token], vocabulary: Vocabulary) -> bool:
    """Whether a word is a denial with letters swapped, doubled or lost ("neit", "nevr")."""
    for each in words:
        if (
            each.code in LIFTED
            or each.upper
            or each.word in vocabulary.commands | vocabulary.stop | vocabulary.real
        ):
            continue
        for denial in ("niet", "geen", "nooit", "never", "zonder", "without", "don't", "dont"):
            swapped = sorted(each.word) == sorted(denial)
            changed = abs(len(each.word) - len(denial)) == 1 and each.word[:1] == denial[0]
            if swapped or (changed and OSA.distance(each.word, denial, score_cutoff=1) == 1):
                return True
    return False


def _remedies(word: Token, vocabulary: Vocabulary) -> list[str]:
    """The words of the grammar that this may have been meant to be, at most two, likeliest first."""
    said = word.word
    if word.code in LIFTED or word.stops or len(said) < 3 or not said.replace("'", "").isalpha():
        return []
    if said in HARDWARE or said in vocabulary.commands or said in vocabulary.real or said in vocabulary.stop:
        return []
    allowed = 1 if len(said) < 6 else 2
    close = process.extract(said, vocabulary.commands, scorer=OSA.distance, score_cutoff=allowed, limit=8)
    # "undelete" and "rename" are words of their own, not "delete" and "name" with letters too many
    close = [each for each in close if not (said.endswith(each[0]) and len(said) - len(each[0]) > 1)]
    near = [each for each in close if len(each[0]) > 3 or each[0] in SHORT or sorted(each[0]) == sorted(said)]
    # verbs and nouns before anything else: those are what a command is made of
    near.sort(
        key=lambda each: (
            each[1],
            each[0] not in vocabulary.verbs | vocabulary.nouns,
            each[0][0] != said[0],
            each[0],
        )
    )
    return [str(each[0]) for each in near[:2] if each[1] == near[0][1]]

"""What is never planned, however well it is understood: denials, conditions, times.

Looked for in every word outside quotes and paths. In doubt a word counts.
"""

import re
from collections.abc import Sequence

from controller.assistant.language import word_set
from controller.assistant.offline.grammar import Vocabulary
from controller.assistant.offline.repair import like_a_negation
from controller.assistant.offline.tokens import LIFTED, PATH, QUOTED, Token

# "als inhoud", "op als x.txt" and "met als naam" are no conditions
_AS = word_set("inhoud tekst naam titel bericht bestand content reservekopie kopie volgt backup")
_BEFORE_AS = word_set("op met kopieer hernoem sla")
_UNIT = re.compile(
    r"(?:uur|uren|minuut|minuten|min|seconden?|dagen|weken|hours?|minutes?|mins?|seconds?|days?|weeks?|months?)"
)
_CLOCK = re.compile(r"\d{1,2}(?:[:.]\d{2})?(?:am|pm|u|h|uur)|\d{1,2}:\d{2}")
_MONTH = re.compile(
    r"januari|februari|maart|april|mei|juni|juli|augustus|january|february|march|may|june|july|august"
    r"|september|oktober|october|november|december"
)
_PERIOD = word_set("week weken maand maanden jaar keer weekend month year time quarter kwartaal")
_WHILE = word_set("bit while moment sec jiffy minute")
_WEEKDAY = re.compile(
    r"(?:maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?"
)
_PERHAPS = word_set("maybe perhaps misschien wellicht possibly")
_ASKED = word_set("kun kan kunt kunnen zou wil wilt can could would will mind")
_NEXT = word_set("volgende komende next coming deze this iedere elke every op on")
_NAMED = word_set("map folder mapje directory bestand file genaamd called named naam name")
_AT = word_set("om at rond around by tegen vanaf from until tot after na over within binnen in")


def reason(words: Sequence[Token], vocabulary: Vocabulary, *, question: bool) -> str:
    """Why these words are not planned; empty when nothing is against it."""
    plain = [each for each in words if each.code not in LIFTED]
    if denies(plain, vocabulary):
        return "negation"
    if like_a_negation(plain, vocabulary):
        return "negation"
    for place, each in enumerate(words):
        if each.code in LIFTED:
            continue
        why = vocabulary.veto.get(each.word)
        if why == "doubt":
            return why
        if why == "condition" and not _innocent(words, place, question=question):
            return "condition"
        if why == "time" or _is_time(words, place):
            return "time"
    return ""


def doubts(words: Sequence[Token]) -> bool:
    """Whether it is said with a perhaps that is no politeness: "misschien moet map Test weg"."""
    said = {each.word for each in words if each.code not in LIFTED}
    return bool(said & _PERHAPS) and not said & _ASKED


def denies(words: Sequence[Token], vocabulary: Vocabulary) -> bool:
    """Whether a word outside quotes and paths says that something should not be."""
    return any(
        vocabulary.veto.get(each.word) == "negation" or each.word.endswith("n't")
        for each in words
        if each.code not in LIFTED
    )


def _innocent(words: Sequence[Token], place: int, *, question: bool) -> bool:
    word = words[place].word
    if word in {"when", "wanneer"}:
        return question and place == 0
    if word == "whether":
        return True
    if word == "als" and place > 0 and place + 1 < len(words):
        after, before = words[place + 1], words[place - 1]
        return (
            after.word in _AS
            or before.word in _BEFORE_AS
            or (after.code in {QUOTED, PATH} and before.code not in {",", ";"} and place + 2 == len(words))
            or (after.word in {"de", "het"} and place + 2 < len(words) and words[place + 2].word in _AS)
        )
    return False


def _is_time(words: Sequence[Token], place: int) -> bool:
    word = words[place].word
    before = words[place - 1] if place else None
    if _WEEKDAY.fullmatch(word):
        return (
            before is not None
            and (before.word in _NEXT or place + 1 == len(words))
            and before.word not in _NAMED
        )
    if before is None:
        return False
    if _MONTH.fullmatch(word):
        after = words[place + 1].word if place + 1 < len(words) else ""
        return (before.word.isdigit() or after.isdigit()) and before.word not in _NAMED
    if word in _PERIOD and before.word in {"volgende", "next", "komende"}:
        return True
    if word in _WHILE and before.word == "a":
        return place > 1 and words[place - 2].word in {"in", "after"}
    if _CLOCK.fullmatch(word):
        return before.word in _AT
    if _UNIT.fullmatch(word):
        return bool(before.word) and (
            before.word.isdigit() or before.word in {"een", "an", "a", "one", "half"}
        )
    return word.isdigit() and before.word in {"om", "at"} and before.stops

"""Device phrases: "op mijn laptop", "on the office pc", "van de server", "here".

A phrase that names a known device is taken out of the sentence; one that names
nothing known stays in, so that nothing after it is mistaken for what was meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.assistant.candidates import LONGEST_NAME, Directory, KnownDevice, Mention, Reading
from controller.assistant.language import fold, parts, word_set
from controller.assistant.offline.tokens import COLON, COMMA, END, QUOTED, STOP, Token

STRONG = word_set("op on at onto via vanaf")
WEAK = word_set("van from of in bij vanuit inside")
NOT_DEVICES = word_set("folder map file bestand directory folders mappen files bestanden")
FROM_OR_TO = word_set("bij van from vanuit naar to")
SENDING = word_set("naar to aan for voor")
POSSESSIVE = word_set("me mn my mijn m'n our onze ons mij jouw your")
ARTICLES = POSSESSIVE | word_set("de het the deze dit die dat this that een a an z'n haar zijn his her")
KINDS = word_set("device apparaat computer machine pc node systeem system host called named genaamd")
KIND_BEHIND = word_set("pc computer machine device apparaat")
HERE_KINDS = word_set("computer machine device apparaat systeem system toestel")
SWITCHING = word_set("turn turning switch switching power powering shut cut")
THIS = word_set("this deze dit")
HERE_WORDS = word_set("here hier locally lokaal")
SENDS = word_set(
    "add voeg stuur verstuur zend notificatie melding bericht notify send notification message alert push toon show meld"
)
AND = {STOP + "en", STOP + "and", STOP + "&", STOP + "of", STOP + "or", STOP + "plus", COMMA}


@dataclass(frozen=True, slots=True)
class Places:
    """What a sentence says about where, and the sentence without it."""

    words: tuple[Token, ...]
    devices: tuple[KnownDevice, ...] = ()
    unclear: Mention | None = None  # a phrase that fits several devices
    phrase: str = ""
    here: bool = False
    repaired: bool = False


def find(text: str, words: Sequence[Token], known: Directory) -> Places:
    """Lift every phrase that names a known device, or the one that the user sits at."""
    kept: list[Token] = []
    devices: dict[str, KnownDevice] = {}
    unclear: Mention | None = None
    phrase = ""
    here = repaired = False
    sends = any(word.word in SENDS for word in words)
    place = 0
    while place < len(words):
        found = _phrase_at(text, words, place, known, sends=sends)
        if found is None:
            kept.append(words[place])
            place += 1
            continue
        end, mention = found
        if mention is None:
            here = True
        elif mention.reading is Reading.SEVERAL:
            unclear = mention
            phrase = text[words[place].start : words[end - 1].end]
        else:
            devices.update({each.device_id: each for each in mention.devices})
            repaired = repaired or mention.repaired
        place = end
        while mention is not None and (more := _also(text, words, place, known)) is not None:
            place, other = more
            devices.update({each.device_id: each for each in other.devices})
    return Places(tuple(kept), tuple(devices.values()), unclear, phrase, here, repaired)


def unknown(text: str, words: Sequence[Token]) -> tuple[list[Token], str] | None:
    """The sentence without a phrase that can only be a device, and that phrase; None if there is none."""
    for place, word in enumerate(words):
        start = place + 1
        owned = start < len(words) and words[start].word in POSSESSIVE | {"the", "de", "het"}
        if not (
            word.stops
            and (word.word in STRONG or (word.word in FROM_OR_TO and _names_thing(words, start, owned=owned)))
        ):
            continue
        while start < len(words) and words[start].word in ARTICLES:
            start += 1
        end = start
        while (
            end < len(words)
            and end - start < 4
            and not words[end].stops
            and words[end].code not in {COMMA, COLON, END}
        ):
            end += 1
        if end > start and words[start].word not in NOT_DEVICES:
            return [*words[:place], *words[end:]], text[words[start].start : words[end - 1].end]
    return None


def _names_thing(words: Sequence[Token], start: int, *, owned: bool) -> bool:
    return owned or (words[start - 1].word in {"van", "from", "vanuit"} and start < len(words))


def _phrase_at(
    text: str, words: Sequence[Token], place: int, known: Directory, *, sends: bool
) -> tuple[int, Mention | None] | None:
    word = words[place]
    if (word.word in HERE_WORDS and word.stops) or word.word in {"locally", "lokaal"}:
        return place + 1, None
    if word.code == QUOTED:
        return None
    if place == 0 and (called := _exact(text, words, place, known)) is not None:
        end = called[0]
        return called if end < len(words) and words[end].code in {COLON, COMMA} else None
    if word.word.endswith("'s"):
        return _owner(words, place, known)
    if word.word == "off" and place > 0 and words[place - 1].word not in SWITCHING:
        return _after(text, words, place + 1, known, strong=False)  # "delete it off the laptop"
    strong, weak = word.word in STRONG, word.word in WEAK or (sends and word.word in SENDING)
    return _after(text, words, place + 1, known, strong=strong) if strong or weak else None


def _after(
    text: str, words: Sequence[Token], start: int, known: Directory, *, strong: bool
) -> tuple[int, Mention | None] | None:
    """The device named from here on, behind a preposition."""
    first = start
    while first < len(words) and words[first].word in ARTICLES and (words[first].stops or words[first].upper):
        first += 1
    if first >= len(words):
        return None
    lead = {each.word for each in words[start:first]}
    exact = _exact(text, words, start, known) or _exact(text, words, first, known)
    kind = first
    while exact is None and kind + 1 < len(words) and words[kind].word in KINDS and kind < first + 2:
        kind += 1
        exact = _exact(text, words, kind, known)
    if exact is not None:
        folder = words[start - 1].word in {"in", "inside"} and not lead  # "in server" may well be a folder
        return None if folder else exact
    if here := _here(words, start, first, strong=strong):
        return here, None
    return (
        _inexact(
            text,
            words,
            first,
            known,
            partly=strong
            or bool(lead & POSSESSIVE)
            or words[start - 1].word not in {"van", "from", "of", "vanuit"},
        )
        if strong or lead & POSSESSIVE or (lead and words[start - 1].word in {"van", "from", "of", "vanuit"})
        else None
    )


def _owner(words: Sequence[Token], place: int, known: Directory) -> tuple[int, Mention | None] | None:
    name = parts(words[place].word[:-2])
    found = known.exact(name) if name else ()
    if not found or known.exact(
        parts(words[place].word + (words[place + 1].word if place + 1 < len(words) else ""))
    ):
        return None
    return place + 1, Mention(Reading.ONE if len(found) == 1 else Reading.SEVERAL, found)


def _exact(text: str, words: Sequence[Token], first: int, known: Directory) -> tuple[int, Mention] | None:
    best: tuple[int, Mention] | None = None
    said: list[str] = []
    for end in range(first, min(first + LONGEST_NAME, len(words))):
        if words[end].code in {COMMA, COLON, END}:
            break
        said.extend(parts(text[words[end].start : words[end].end]))
        if found := known.exact(said):
            best = end + 1, Mention(Reading.ONE if len(found) == 1 else Reading.SEVERAL, found)
        if words[end].code == QUOTED:
            break
    if best is not None and best[0] < len(words) and words[best[0]].word in KIND_BEHIND:
        best = best[0] + 1, best[1]  # "on the workshop pc", where the name is Workshop
    return best


def _here(words: Sequence[Token], start: int, first: int, *, strong: bool) -> int | None:
    lead = {each.word for each in words[start:first]}
    if words[first].word in HERE_KINDS and lead and strong:
        return first + 1
    if lead & THIS and words[first].word in HERE_KINDS | {"pc", "laptop", "server", "mac", "desktop", "one"}:
        return first + 1
    return None


def _inexact(
    text: str, words: Sequence[Token], first: int, known: Directory, *, partly: bool
) -> tuple[int, Mention] | None:
    """A misspelt or shortened name: the longest run of words that gives one."""
    said: list[str] = []
    best: tuple[int, Mention] | None = None
    for end in range(first, min(first + 4, len(words))):
        if words[end].code in {COMMA, COLON, END} or (
            words[end].stops and words[end].word not in {"van", "of"}
        ):
            break
        said.extend(parts(text[words[end].start : words[end].end]))
        if not said or words[end].stops:
            continue
        found = known.nearly(said)
        ends = end + 1 == len(words) or words[end + 1].stops or words[end + 1].code in {COMMA, COLON, END}
        if found.reading is Reading.UNKNOWN and partly and ends:
            found = known.resolve(" ".join(said))
        if found.reading in {Reading.ONE, Reading.SEVERAL}:
            best = end + 1, found
        if words[end].code == QUOTED:
            break
    return best


def _also(text: str, words: Sequence[Token], place: int, known: Directory) -> tuple[int, Mention] | None:
    """A second device right behind the first, as in "op laptop en pc"."""
    start = place
    while start < len(words) and words[start].code in AND:
        start += 1
    if start == place:
        return None
    while start < len(words) and words[start].word in ARTICLES | STRONG and words[start].stops:
        start += 1
    found = _exact(text, words, start, known)
    if found is None:
        return None
    end, mention = found
    ends = end >= len(words) or words[end].code in {COMMA, COLON, END} or words[end].stops
    return found if ends and fold(text[words[start].start : words[end - 1].end]) and mention else None

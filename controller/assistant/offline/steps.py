"""A sentence of several steps: where one ends and the next begins.

Steps are tried as they are first; only then does a step borrow the verb of the
one before ("maak een map A en een bestand b.txt"). All words must be understood.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise

from controller.assistant.language import word_set
from controller.assistant.offline.clause import Clause
from controller.assistant.offline.draft import Context, Draft
from controller.assistant.offline.grammar import Vocabulary, encode
from controller.assistant.offline.tokens import COLON, COMMA, END, QUOTED, STOP, Token
from controller.assistant.offline.wording import AND

LINKS = {COMMA, END} | {
    STOP + word for word in ("en", "and", "then", "dan", "daarna", "vervolgens", "plus", "&", "ook", "also")
}
REPORTING = word_set(
    "tell show vertel zeg vertellen zeggen zien see know weten toon tonen check kijk uitleggen kijken checken controleren nagaan nakijken"
)
ASKING = word_set(
    "if whether of what what's whats which how who when where wat welke hoe hoeveel wie waar wanneer"
)
WHETHER = frozenset({"if", "whether", "of"})
THEN = word_set("then dan daarna vervolgens")
SOMEBODY = word_set("mij me ons us mijzelf mezelf myself")
SAYING = word_set("saying says containing contains")
COMMANDS = word_set("command commando shellcommando")
TELLING = (
    SAYING
    | word_set(
        "notify alert message notification reminder popup pop-up notice melding meldinkje notificatie bericht berichtje"
        " waarschuwing herinnering boodschap meld waarschuw informeer text content tekst inhoud opdracht"
    )
    | COMMANDS
)
LATER = word_set("daarna vervolgens dan")  # "maak daarna een map B": the order of the steps says it
PARTICLES = word_set(
    "weg aan af uit op open dicht neer toe klaar"
)  # "gooi maar weg"; elsewhere "maar" is but
WONDERING = word_set("je u af jij wonder wondering weten know")
ASKED_KINDLY = word_set("graag please pls aub alsjeblieft alstublieft svp")
MAX_LINKS = 7
MAX_STEPS = 10

_Key = tuple[int, int, Context, str]


@dataclass(slots=True)
class Steps:
    """All ways to cut one sentence into steps, tried in a fixed order."""

    clause: Clause
    words: tuple[Token, ...]
    _tried: dict[_Key, tuple[list[Draft], Context] | None] = field(default_factory=dict)

    def read(self, *, wish: bool) -> list[Draft] | None:
        """The calls that the whole sentence asks for, or None."""
        ends = _boundaries(self.words)
        speech = speech_at(self.words)
        free = [each for each in ends if each[0] <= speech]
        whole = self._read(free, wish=wish)
        if len(free) < len(ends):
            self._tried.clear()
            parted = self._read(ends, wish=wish, borrows=(False,))
            if parted is not None and parted != whole:
                self.clause.trouble.note("open_text")  # where does the text end, and the next step begin?
                return None
        return whole

    def _read(
        self, ends: Sequence[tuple[int, int]], *, wish: bool, borrows: Sequence[bool] = (False, True)
    ) -> list[Draft] | None:
        if len(ends) > MAX_LINKS:
            self.clause.trouble.note("many_steps")
            return None
        for borrow in borrows:
            found = self._from(0, ends, Context(), (), borrow=borrow, wish=wish)
            if found is not None:
                return found if len(found) <= MAX_STEPS else None
            if not ends:
                break
        return None

    def _from(
        self,
        start: int,
        ends: Sequence[tuple[int, int]],
        context: Context,
        lead: tuple[Token, ...],
        *,
        borrow: bool,
        wish: bool,
    ) -> list[Draft] | None:
        stops = [*((end, after) for end, after in ends if end > start), (len(self.words), len(self.words))]
        for end, after in stops:
            if after < len(self.words) and not self.words[after:]:
                continue
            found = self._step(start, end, context, lead, borrow=borrow, wish=wish)
            if found is None:
                continue
            drafts, left = found
            made = [str(draft.arguments["path"]) for draft in drafts if draft.tool == "create_directory"]
            left = replace(left, made=(*context.made, *made))
            if end == len(self.words):
                return drafts
            verb = (
                lead
                if borrow and lead and not _own_verb(self.clause, self.words[start:end])
                else self._lead(start, end)
            )
            rest = self._from(after, ends, left, verb, borrow=borrow, wish=wish)
            if rest is not None:
                return _joined(drafts, rest)
        return None

    def _lead(self, start: int, end: int) -> tuple[Token, ...]:
        words = self.clause.grammar.words
        step = strip(self.clause, self.words[start:end])[0]
        if step and step[0].word in words.verbs:
            return step[:1]
        return ()

    def _step(
        self, start: int, end: int, context: Context, lead: tuple[Token, ...], *, borrow: bool, wish: bool
    ) -> tuple[list[Draft], Context] | None:
        key = start, end, context, lead[0].word if borrow and lead else ""
        if key not in self._tried:
            self._tried[key] = self._attempt(start, end, context, lead, borrow=borrow, wish=wish)
        return self._tried[key]

    def _before(self, start: int) -> int:
        """Where the words begin that link this step to the one before."""
        while start > 0 and self.words[start - 1].code in LINKS:
            start -= 1
        return start

    def _attempt(
        self, start: int, end: int, context: Context, lead: tuple[Token, ...], *, borrow: bool, wish: bool
    ) -> tuple[list[Draft], Context] | None:
        step, wished = strip(self.clause, self.words[start:end])
        found = self.clause.read(step, context, wish=wished or (wish and start == 0))
        linked = any(each.word in AND | THEN for each in self.words[self._before(start) : start])
        if found is None and borrow and lead and step and linked:
            found = self.clause.read((*lead, *step), context, wish=False)
        return found


def _joined(drafts: list[Draft], rest: list[Draft]) -> list[Draft]:
    first = rest[0]
    last = drafts[-1]
    if first.tool == last.tool == "write_file" and first.arguments["path"] == last.arguments["path"]:
        return [*drafts[:-1], *rest]  # made first, filled in the next step: one call
    return [*drafts, *rest]


def _own_verb(clause: Clause, words: Sequence[Token]) -> bool:
    step = strip(clause, words)[0]
    return bool(step) and step[0].word in clause.grammar.words.verbs


def _boundaries(words: Sequence[Token]) -> list[tuple[int, int]]:
    """Where a step can end: the end of one, the beginning of the next."""
    found: list[tuple[int, int]] = []
    place = 0
    while place < len(words):
        if words[place].code in LINKS:
            end = place
            while place < len(words) and words[place].code in LINKS:
                place += 1
            if end > 0 and place < len(words):
                found.append((end, place))
        else:
            place += 1
    return found


def _unfilled(words: Sequence[Token], vocabulary: Vocabulary) -> list[Token]:
    """Without "please", "even" and "voor mij", wherever they stand; a capital says that it is a name."""
    fillers = vocabulary.fillers
    kept: list[Token] = []
    for place, each in enumerate(words):
        after = words[place + 1].word if place + 1 < len(words) else ""
        before = words[place - 1].word if place else ""
        for_somebody = (each.word in {"voor", "for"} and after in SOMEBODY) or (
            each.word in SOMEBODY and before in {"voor", "for"}
        )
        softens = each.stops and (
            (each.word in {"maar", "is"} and before in vocabulary.verbs)
            or (each.word == "maar" and after in PARTICLES | fillers)
        )
        later = each.word in LATER and each.stops and before in vocabulary.verbs
        if for_somebody or softens or later or (each.word in fillers and (each.stops or not each.upper)):
            continue
        kept.append(each)
    return kept


def speech_at(words: Sequence[Token]) -> int:
    """Where text begins that nobody put in quotes ("… saying dinner is ready"); the end if there is none.

    Nothing in it is politeness, a filler or a next step: it is kept to the letter.
    """
    told = False
    for place, each in enumerate(words[:-1]):
        after = words[place + 1].code
        begins = (each.word in SAYING and each.stops) or (each.word in COMMANDS and 0 < place < 3)
        if (begins or (each.code == COLON and told)) and after not in {QUOTED, COLON}:
            return place + 1
        told = told or each.word in TELLING
    return len(words)


def wonders(words: Sequence[Token], fillers: Set[str] = frozenset()) -> bool:
    """Whether the text asks to be told if something is so: then it may only look."""
    said = [each.word for each in words if each.word not in SOMEBODY | fillers]
    return any(two in WHETHER and one in REPORTING | WONDERING for one, two in pairwise(said)) or said[
        :1
    ] == ["of"]


def strip(clause: Clause, words: Sequence[Token]) -> tuple[tuple[Token, ...], bool]:
    """The words without politeness at both ends; and whether they began as a wish ("ik wil …")."""
    grammar = clause.grammar
    wish = any(each.word in ASKED_KINDLY for each in words)
    speech = speech_at(words)
    spoken = words[speech:]
    kept = [*_unfilled(words[:speech], grammar.words), *spoken]
    suffix = grammar.suffix if not spoken else grammar.thanks
    changed = True
    while changed and kept:
        changed = False
        while kept and kept[0].code in LINKS | {":"}:
            kept, changed = kept[1:], True
        while kept and kept[-1].code in {COMMA, END, ":"}:
            kept, changed = kept[:-1], True
        if len(kept) > 1 and kept[0].word in REPORTING and kept[1].word in ASKING:
            kept, changed = kept[2 if kept[1].word in WHETHER else 1 :], True
        if len(kept) > 2 and kept[1].code == ":" and kept[0].word in grammar.words.verbs:
            kept, changed = [kept[0], *kept[2:]], True
        coded, starts = encode(kept)
        wish = wish or grammar.wish.match(coded) is not None
        if (found := grammar.prefix.match(coded)) is not None and found.end() < len(coded):
            before = [each for each, at in zip(kept, starts, strict=True) if at < found.end()]
            kept = kept[len(before) :]
            if len(kept) > 1 and kept[0].word in WHETHER and before[-1].word in REPORTING | WONDERING:
                kept = kept[1:]  # "weet je of …" asks; a bare "if …" is a condition and stays
            changed = True
            continue
        if (found := suffix.search(coded)) is not None and found.start() > 0:
            kept = [each for each, at in zip(kept, starts, strict=True) if at < found.start()]
            changed = True
            continue
        if (found := grammar.wish.match(coded)) is not None and found.end() < len(coded):
            kept = [each for each, at in zip(kept, starts, strict=True) if at >= found.end()]
            wish = changed = True
    return tuple(kept), wish

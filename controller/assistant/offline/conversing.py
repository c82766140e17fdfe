"""What is said to the assistant itself: remember, recall, forget, once more elsewhere, and what hangs on a device.

What is to be remembered is cut from the person's own text, whatever it holds, so it is looked
for before anything that reads words as an order.
"""

from collections.abc import Sequence

from controller.assistant.candidates import KnownDevice, Mention, Reading, mentioned
from controller.assistant.intent import is_question
from controller.assistant.language import Language, word_set
from controller.assistant.offline import answers, refusals
from controller.assistant.offline.grammar import Grammar, Match, encode
from controller.assistant.offline.plan import Again, Calls, Plan, PlannedCall
from controller.assistant.offline.repair import like_a_negation
from controller.assistant.offline.tokens import COMMA, END, GLOB, PATH, QUOTED, Token
from controller.assistant.offline.wording import DETERMINERS

MAX_ABOUT = 200  # characters of what a memory is looked up by
# what says nothing about what is meant: "forget about it", "wat weet je nog van hem"
_EMPTY = DETERMINERS | word_set(
    "it that this them him her everything anything something nothing all me you my mine"
    " het hem haar ze hun die dat dit alles iets niets mij me jou mijn ik jij"
    " is are was were be in on at of to and or ook nog maar even nu toch weer alweer ergens somewhere"
    " staat staan zit zitten ligt liggen hangt hangen zijn was waren in op van en of te"
)
_ENDS = {COMMA, END, ":"}


class Conversing:
    """Reads one text as something that is said to the assistant itself."""

    def __init__(
        self, grammar: Grammar, text: str, language: Language, devices: Sequence[KnownDevice]
    ) -> None:
        self._grammar = grammar
        self._text = text
        self._language = language
        self._devices = devices

    @property
    def _asks(self) -> bool:
        return is_question(self._text)

    def _denied(self, words: Sequence[Token]) -> bool:
        """Whether a word says that it should not be, misspelt too ("neit")."""
        vocabulary = self._grammar.words
        return refusals.denies(words, vocabulary) or like_a_negation(words, vocabulary)

    def _declined(self, reason: str) -> Plan:
        return answers.decline(reason, self._language, self._devices)

    def plan(self, words: Sequence[Token]) -> Plan | None:
        """What the words plainly say; None when they say no such thing."""
        return self._plan(words, surely=True)

    def perhaps(self, words: Sequence[Token]) -> Plan | None:
        """What else a question can be, once no device knows it: "where is the NAS?"."""
        return self._plan(words, surely=False)

    def _plan(self, words: Sequence[Token], *, surely: bool) -> Plan | None:
        kept = self._bare(words)
        match = self._grammar.talk(kept) if kept else None
        if match is None:
            return None
        first, last = match.slots.get("rest", (len(kept), len(kept)))
        rest = kept[first:last]
        match match.intent:
            case "remember" if surely:
                return self._remember(rest)
            case "forget" | "again" if surely and self._denied(kept):
                return self._declined("negation")
            case "forget" if surely:
                return self._declined("question") if self._asks else self._about("forget", rest)
            case "again" if surely:
                return self._again(rest)
            case "impact" if surely:
                return self._impact(rest)
            case "recall":
                return self._recall(match, rest, surely=surely)
            case "recall_place" if not surely and not self._is_a_file(rest):
                return self._about("recall", rest)
        return None

    def _bare(self, words: Sequence[Token]) -> list[Token]:
        """Without the politeness in front, and the end of the sentence; a second sentence is something else."""
        kept = list(words)
        while kept and kept[-1].code in _ENDS:
            kept.pop()
        while kept and self._grammar.talk(kept) is None:
            coded, starts = encode(kept)
            found = self._grammar.prefix.match(coded)
            if found is None or not 0 < found.end() < len(coded):
                break
            kept = [each for each, at in zip(kept, starts, strict=True) if at >= found.end()]
            while kept and kept[0].code in _ENDS:
                del kept[0]
        coded, starts = encode(kept)
        if kept and (thanks := self._grammar.thanks.search(coded)) is not None and thanks.start() > 0:
            kept = [each for each, at in zip(kept, starts, strict=True) if at < thanks.start()]
        return [] if any(each.code == END for each in kept) else kept

    def _remember(self, rest: Sequence[Token]) -> Plan | None:
        if self._asks:
            return self._declined("question")
        said = self._cut(rest)
        return _call("remember", text=said) if said else None

    def _recall(self, match: Match, rest: Sequence[Token], *, surely: bool) -> Plan | None:
        if "rest" not in match.slots:
            return _call("recall")
        if surely and self._named(rest).reading is not Reading.UNKNOWN:
            return None  # the device itself knows more
        return self._about("recall", rest)

    def _about(self, tool: str, rest: Sequence[Token]) -> Plan | None:
        telling = [each for each in rest if each.code == QUOTED or each.word not in _EMPTY | {""}]
        said = " ".join(self._text[each.start : each.end] for each in telling)
        return _call(tool, about=said[:MAX_ABOUT]) if said.strip() else None

    def _again(self, rest: Sequence[Token]) -> Plan | None:
        found, phrase = self._named(rest), self._cut(rest)
        if found.reading is Reading.ONE:
            return Again(found.devices[0].device_id, found.repaired)
        reason = "which_device" if found.reading is Reading.SEVERAL else "unknown_device"
        return answers.ask(reason, self._language, found.devices or self._devices, phrase=phrase)

    def _impact(self, rest: Sequence[Token]) -> Plan:
        found = self._named(rest)
        if found.reading is Reading.ONE:
            device_id = found.devices[0].device_id
            call = PlannedCall(device_id, "device_impact", {"device_id": device_id})
            return Calls((call,), repaired=found.repaired)
        reason = "which_device" if found.reading is Reading.SEVERAL else "unknown_device"
        return answers.ask(reason, self._language, found.devices or self._devices, phrase=self._cut(rest))

    def _named(self, words: Sequence[Token]) -> Mention:
        """The device that these words name."""
        kept = list(words)
        while len(kept) > 1 and kept[0].word in DETERMINERS:
            del kept[0]
        return mentioned(self._cut(kept), self._devices)

    def _is_a_file(self, words: Sequence[Token]) -> bool:
        return any(each.code in {PATH, GLOB} or each.word in self._grammar.words.nouns for each in words)

    def _cut(self, words: Sequence[Token]) -> str:
        """These words as they stand in the text, with the quotes around them."""
        if not words:
            return ""
        first, last = words[0], words[-1]
        if len(words) == 1 and first.code == QUOTED:
            return self._text[first.start : first.end]
        start = first.start - (first.code == QUOTED)
        return self._text[start : last.end + (last.code == QUOTED)].strip()


def _call(tool: str, **arguments: str) -> Plan:
    return Calls((PlannedCall("", tool, dict(arguments)),), repaired=False)

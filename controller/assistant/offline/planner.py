"""The planner without a model: a sentence in Dutch or English becomes tool calls, or it does not.

It never guesses. What is denied, conditional, meant for later or not understood to
the last word is declined, and what is unclear about the device is asked.
"""

import re
from collections.abc import Sequence
from functools import cache, cached_property

from controller.assistant.candidates import Directory, KnownDevice, directory, rank
from controller.assistant.intent import is_question
from controller.assistant.language import Language, fold, language_of
from controller.assistant.offline import answers, names, own_tools, places, refusals
from controller.assistant.offline.clause import Clause
from controller.assistant.offline.conversing import Conversing
from controller.assistant.offline.draft import Draft, Trouble
from controller.assistant.offline.grammar import Grammar
from controller.assistant.offline.plan import READ_ONLY, Calls, Declined, Plan, PlannedCall
from controller.assistant.offline.repair import repairs
from controller.assistant.offline.steps import Steps, strip, wonders
from controller.assistant.offline.tokens import Token, Unreadable, tokens

MAX_TEXT = 300  # characters
_HELP = re.compile(
    r"(?:help|hulp|help me|help mij|what can (?:you|i) do(?: here| for me)?|wat kun je(?: allemaal)?(?: doen)?(?: voor mij)?"
    r"|wat kan (?:je|ik)(?: hier)?(?: allemaal)?(?: doen)?|how does this work|hoe werkt (?:dit|het)|voorbeelden|examples)"
)


@cache
def _grammar() -> Grammar:
    """The templates are read once a process; they never change."""
    return Grammar()


class Planner:
    """Understands plain requests; the first one takes half a second longer. Safe to use from several threads."""

    @cached_property
    def _grammar(self) -> Grammar:
        return _grammar()

    def plan(self, text: str, devices: Sequence[KnownDevice], *, here: str | None = None) -> Plan:
        """What the text asks for.

        `here` is the id of the device where the person sits; it is meant when no
        device is named. Without it the only device is, if there is exactly one.
        Never raises, whatever the text.
        """
        language = language_of(text)
        if not any(character.isalnum() for character in text[: MAX_TEXT + 1]):
            return answers.decline("empty", language, devices)
        if len(text) > MAX_TEXT:
            return answers.decline("too_long", language, devices)
        if _HELP.fullmatch(fold(text).strip(" ?!.,")):
            return answers.decline("help", language, devices)
        try:
            words = tokens(text, self._grammar.words.stop)
        except Unreadable as error:
            return answers.decline(error.reason, language, devices)
        conversing = Conversing(self._grammar, text, language, devices)
        if (plan := conversing.plan(words)) is not None:
            return plan
        plan = _Sentence(self._grammar, text, language, devices, here).plan(words)
        return conversing.perhaps(words) or plan if isinstance(plan, Declined) else plan

    def to_assistant(self, text: str, devices: Sequence[KnownDevice]) -> Plan | None:
        """What a text plainly says to the assistant itself, whoever plans the rest: remember, forget, again."""
        if len(text) > MAX_TEXT:
            return None
        try:
            words = tokens(text, self._grammar.words.stop)
        except Unreadable:
            return None
        return Conversing(self._grammar, text, language_of(text), devices).plan(words)


class _Sentence:
    """One text on its way to a plan."""

    def __init__(
        self,
        grammar: Grammar,
        text: str,
        language: Language,
        devices: Sequence[KnownDevice],
        here: str | None,
    ) -> None:
        self.grammar = grammar
        self.text = text
        self.language = language
        self.devices = devices
        self.here = here
        self.known: Directory = directory(devices)
        self.question = is_question(text)
        self.placed = False

    def plan(self, words: list[Token]) -> Plan:
        found = places.find(self.text, words, self.known)
        self.question = self.question or wonders(words, self.grammar.words.fillers)
        self.placed = bool(found.devices)
        clause = Clause(self.text, self.grammar, self.known)
        named = names.keep(found.words, self.grammar.words, self.known, placed=bool(found.devices))
        kept, wish = strip(clause, named)
        if found.repaired and refusals.denies(words, self.grammar.words):
            return answers.decline("negation", self.language, self.devices)
        if refusals.doubts(words):
            return answers.decline("doubt", self.language, self.devices)
        if reason := refusals.reason(kept, self.grammar.words, question=self.question):
            return answers.decline(reason, self.language, self.devices)
        if (own := self._own_tool(found)) is not None:
            return own
        drafts, trouble = self._read(kept, wish=wish)
        repaired = found.repaired
        unknown = trouble.reason in {"unknown_device", "which_device"}
        if drafts is None and trouble.reason != "unsupported":
            for mended in repairs(kept, self.grammar.words):
                again, wished = strip(clause, mended)
                drafts, _ = self._read(again, wish=wish or wished)
                if drafts is not None and unknown and any(each.tool not in READ_ONLY for each in drafts):
                    drafts = None  # a device that nobody knows is no typing error
                if drafts is not None:
                    repaired = True
                    break
        if drafts is None:
            return self._not_understood(kept, trouble, wish=wish)
        return self._settle(drafts, found, repaired=repaired)

    def _own_tool(self, found: places.Places) -> Plan | None:
        """A call of a tool that only this device has, where the sentence is nothing but that."""
        device = found.devices[0] if len(found.devices) == 1 else self._usual(found)
        if device is None or len(found.devices) > 1 or found.unclear is not None or self.question:
            return None
        tool = own_tools.named(found.words, device)
        if tool is None:
            return None
        return Calls((PlannedCall(device.device_id, tool, {}),), found.repaired)

    def _read(self, words: Sequence[Token], *, wish: bool) -> tuple[list[Draft] | None, Trouble]:
        clause = Clause(self.text, self.grammar, self.known, self.placed)
        drafts = Steps(clause, tuple(words)).read(wish=wish)
        return drafts, clause.trouble

    def _not_understood(self, words: Sequence[Token], trouble: Trouble, *, wish: bool) -> Plan:
        if trouble.reason in {"unknown_device", "which_device"} and not self.placed:
            return self._ask(trouble.reason, trouble.phrase, trouble.devices)
        if (missing := places.unknown(self.text, words)) is not None:
            rest, phrase = missing
            for attempt in (tuple(rest), *repairs(rest, self.grammar.words)):
                if self._read(attempt, wish=wish)[0] is not None:
                    return self._ask("unknown_device", phrase)
        return answers.decline(
            trouble.reason or "not_understood", self.language, self.devices, phrase=trouble.phrase
        )

    def _ask(self, reason: str, phrase: str = "", devices: Sequence[KnownDevice] = ()) -> Plan:
        options = devices or [each.device for each in rank(phrase or self.text, self.devices)]
        return answers.ask(reason, self.language, options, phrase=phrase)

    def _settle(self, drafts: list[Draft], found: places.Places, *, repaired: bool) -> Plan:
        if self.question and any(draft.tool not in READ_ONLY for draft in drafts):
            return answers.decline("question", self.language, self.devices)
        named = {each.device_id: each for each in found.devices}
        named.update({draft.device.device_id: draft.device for draft in drafts if draft.device is not None})
        if len(named) > 1 or (named and found.unclear is not None):
            return answers.decline("many_devices", self.language, self.devices)
        if found.unclear is not None:
            return self._ask("which_device", found.phrase, found.unclear.devices)
        if all(draft.tool == "list_devices" for draft in drafts):
            return Calls(tuple(PlannedCall("", draft.tool, {}) for draft in drafts), repaired)
        device = next(iter(named.values()), None) or self._usual(found)
        if device is None:
            return self._ask("which_device")
        repaired = repaired or any(draft.repaired for draft in drafts)
        return Calls(tuple(_call(draft, device) for draft in drafts), repaired)

    def _usual(self, found: places.Places) -> KnownDevice | None:
        """The device meant when none is named."""
        if self.here is not None:
            at = next((each for each in self.devices if each.device_id == self.here), None)
            if at is not None or found.here:
                return at
        return self.devices[0] if len(self.devices) == 1 else None


def _call(draft: Draft, device: KnownDevice) -> PlannedCall:
    if draft.tool == "list_devices":
        return PlannedCall("", draft.tool, {})
    arguments = dict(draft.arguments)
    if draft.tool == "device_status":
        arguments["device_id"] = device.device_id
    if draft.tool in {"open_app", "close_app"}:
        # the spelling that the device's own list uses, where it is the same name
        said = str(arguments["name"])
        arguments["name"] = next((app for app in device.apps if app.casefold() == said.casefold()), said)
    return PlannedCall(device.device_id, draft.tool, arguments)

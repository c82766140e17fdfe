"""What one template caught: its words, checked for being names before they become arguments.

A name is only taken when it cannot be anything else; otherwise the template does
not fit. Nothing is made up: names are cut from the text.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from controller.assistant.candidates import Directory, KnownDevice, Reading
from controller.assistant.language import fold, parts
from controller.assistant.offline.draft import Context, Reject, Trouble
from controller.assistant.offline.grammar import Match, Vocabulary
from controller.assistant.offline.names import (
    crowded,
    is_name_before_noun,
    is_phrase,
    is_spaced_path,
    listed,
    misspelt,
    misspelt_end,
)
from controller.assistant.offline.paths import base_name
from controller.assistant.offline.tokens import COMMA, PATH, QUOTED, Token
from controller.assistant.offline.wording import (
    AND,
    BEHIND,
    DETERMINERS,
    GENERIC,
    HARDWARE,
    NAMING,
    ORIGINS,
    OWN_FOLDERS,
)

ARTICLES = frozenset({"a", "an", "een"})
OWNERS = frozenset({"my", "mijn", "our", "onze"})
_BETWEEN = " \t\r\n'\"`\u201c\u201d\u2018\u2019\u00ab\u00bb\u2039\u203a:;,.!?"


class Reader(Protocol):
    """What stays the same for all clauses of one text."""

    text: str
    known: Directory
    trouble: Trouble
    placed: bool

    @property
    def vocabulary(self) -> Vocabulary: ...


class Caught:
    """One match, with the checks that names must pass."""

    def __init__(self, reader: Reader, words: Sequence[Token], match: Match, context: Context) -> None:
        self.text = reader.text
        self.vocabulary = reader.vocabulary
        self.known = reader.known
        self.trouble = reader.trouble
        self.placed = reader.placed
        self.words = words
        self.slots = match.slots
        self.fixed = match.fixed
        self.context = context
        self.after = Context()
        self.said = {each.word for each in words if each.word}

    def has(self, slot: str) -> bool:
        return slot in self.slots or slot in self.fixed

    def span(self, slot: str) -> list[Token]:
        first, last = self.slots[slot]
        return list(self.words[first:last])

    def cut(self, span: Sequence[Token]) -> str:
        for one, two in pairwise(span):
            if self.text[one.end : two.start].strip(_BETWEEN):
                raise Reject  # a filler was taken out in between: this is not one name
        return self.text[span[0].start : span[-1].end]

    def raw(self, slot: str) -> str:
        """Quoted text exactly; a tail from its first to its last character."""
        span = self.span(slot)
        if len(span) == 1:
            return self.text[span[0].start : span[0].end]
        return self.text[span[0].start : span[-1].end]

    def tail(self) -> str:
        """Unquoted text up to the end, if it can be nothing else."""
        span = self.span("tail")
        if span[0].code in {QUOTED, COMMA} or any(each.code == QUOTED for each in span):
            raise Reject
        for one, two in pairwise(span):
            if one.word in {"op", "on", "at"} and (not self.placed or two.word in DETERMINERS):
                raise Reject  # a device that is not known, rather than text
        return self.raw("tail")

    def before(self, slot: str) -> list[Token]:
        return list(self.words[: self.slots[slot][0]])

    def after_noun(self, slot: str) -> bool:
        place = self.slots[slot][0]
        return place > 0 and (
            self.words[place - 1].word in NAMING or self.words[place - 1].word in self.vocabulary.nouns
        )

    def before_noun(self, slot: str) -> str:
        """The name in a slot that stands before its noun: "the backup folder"."""
        span = self.span(slot)
        if not is_name_before_noun(span[0], self.words[self.slots[slot][1]].word):
            raise Reject
        return self.name(span, noun=True)

    def one(self, slot: str, *, kind: str = "thing") -> str:
        """The single name in a slot; a pronoun is what it stands for."""
        if self.fixed.get(slot) == "@it":
            return self._it(kind)
        if slot in self.fixed:
            return self.fixed[slot]
        span = self.span(slot)
        if len(span) == 1 and span[0].stops:
            return self._it(kind)
        last = slot == "newname" and span[-1].code == PATH  # "to final report.docx" can be nothing else
        name = self.name(span, noun=self.after_noun(slot) or last)
        return self._as_made(name) if kind == "folder" else name

    def _as_made(self, name: str) -> str:
        """The folder of that name that an earlier step of the sentence makes: Y may be X/Y."""
        made = [path for path in self.context.made if path != name and base_name(path) == name]
        return made[0] if len(made) == 1 and name not in self.context.made else name

    def many(self, slot: str) -> list[str]:
        """The names of a list: `A, B en C`, each with its own article and noun or without."""
        if self.fixed.get(slot) == "@it":
            return [self._it("thing")]
        span = self.span(slot)
        if len(span) == 1 and span[0].stops:
            return [self._it("thing")]
        noun = self.after_noun(slot)
        if not self._is_list(span) or crowded(span) or self._joined(slot, span):
            raise Reject
        names: list[str] = []
        for place, part in enumerate(listed(span)):
            own = place == 0 and noun and slot == "newnames"
            names.append(self._element(part, noun=noun, own=own))
        return names

    def _is_list(self, span: Sequence[Token]) -> bool:
        """Commas alone make a list of clear names only: "delete Test, kidding" is none."""
        if not any(each.code == COMMA for each in span) or any(
            each.stops and each.word in AND for each in span
        ):
            return True
        return all(each.upper or each.code in {QUOTED, PATH, COMMA} for each in span)

    def _joined(self, slot: str, span: Sequence[Token]) -> bool:
        """Whether "a folder Tom & Jerry" is one name or two cannot be told."""
        before = self.words[self.slots[slot][0] - 1].word
        return any(each.word == "&" for each in span) and before in BEHIND

    def _element(self, part: list[Token], *, noun: bool, own: bool) -> str:
        rest = part
        if len(rest) > 1 and rest[0].word in DETERMINERS and rest[0].stops and not own:
            if noun and rest[0].word in OWNERS and rest[1].word not in self.vocabulary.nouns:
                self.trouble.note(
                    "described", self.cut(rest)
                )  # "the file my report.docx": is "my" in its name?
                raise Reject
            rest = rest[1:]
        if len(rest) > 1 and rest[0].word in self.vocabulary.nouns and not rest[0].upper:
            rest, noun = rest[1:], True
        return self.name(rest, noun=noun)

    def name(self, span: list[Token], *, noun: bool) -> str:
        """The name that these words are.

        Raises:
            Reject: they may be something else than one name.
        """
        if not span or any(
            each.word and fold(self.text[each.start : each.end]) != each.word for each in span
        ):
            raise Reject  # a word that had to be mended is a command word, never a name
        if len(span) > 1 and not noun and span[-1].word in BEHIND and not span[-1].upper:
            behind, span = span[-1].word, span[:-1]  # "the Test folder" is named Test
            if not is_name_before_noun(span[-1], behind):
                raise Reject
            noun = len(span) == 1
        elif len(span) > 1 and span[-1].word in self.vocabulary.nouns and not span[-1].upper:
            raise Reject  # "3 bestanden" is a number of them
        if len(span) == 1:
            return self._single(span[0], noun=noun)
        one_path = span[0].code == PATH and is_spaced_path(span)
        if not one_path and not is_phrase(span, self.vocabulary, noun=noun):
            raise Reject
        last = self.text[span[-1].start : span[-1].end]
        if not one_path and self.known.exact(parts(last)):
            self.trouble.note("device_or_path", last)  # "folder Test laptop": in it, or on it?
            raise Reject
        if any(each.word in self.vocabulary.done and not each.upper for each in span):
            raise Reject
        if span[-1].code != PATH and not span[-1].upper and misspelt_end(span[-1], self.vocabulary):
            raise Reject
        return self.cut(span)

    def _single(self, token: Token, *, noun: bool) -> str:
        words = self.vocabulary
        said = self.text[token.start : token.end]
        if token.code == QUOTED:
            if not said.strip():
                raise Reject
            return said
        if token.stops or "://" in said or token.word.startswith("www."):
            raise Reject
        doubtful = token.word in words.nouns or (
            not noun and (token.word in words.verbs or misspelt(token, words))
        )
        if doubtful and token.code != PATH and not token.upper:
            raise Reject
        if token.code != PATH and not noun and self.known.exact((token.word,)):
            self.trouble.note("device_or_path", said)
            raise Reject
        return said

    def _it(self, kind: str) -> str:
        meant = self.context.folder if kind == "folder" else self.context.thing
        if meant is None:
            self.trouble.note("no_antecedent")
            raise Reject
        return meant

    def parent(self, *, origin: bool = False) -> str | None:
        """The folder that a name is in, if one is said; `origin`: "from A" can only be a folder here."""
        if not self.has("parent"):
            return None
        if self.fixed.get("parent") == "@it":
            return self._it("folder")
        first = self.slots["parent"][0]
        span = self.span("parent")
        if self.words[first - 1].word in ARTICLES and span[0].code not in {QUOTED, PATH}:
            raise Reject  # "in a bit" is no folder; "in a folder bit" is
        if len(span) == 1 and span[0].stops:
            return self._it("folder")
        link = next((e.word for e in reversed(self.words[:first]) if e.word not in DETERMINERS), "")
        lifted = span[0].code in {QUOTED, PATH}
        if len(span) == 1 and span[0].word in OWN_FOLDERS and link not in ORIGINS:
            return self.cut(span)
        if (
            link in ORIGINS
            and not lifted
            and not self.after_noun("parent")
            and not (origin and span[0].upper)
        ):
            raise Reject  # "delete Test from my phone" must not look for a folder named phone
        inside = link in {"in", "inside", "into"} and span[0].upper
        return self._as_made(self.name(span, noun=self.after_noun("parent") or inside))

    def device(self) -> tuple[KnownDevice | None, bool]:
        """The device in a `{device}` slot; None means: the one that is meant anyway."""
        if "device" not in self.slots:
            return None, False
        span = self.span("device")
        said = self.text[span[0].start : span[-1].end]
        while len(span) > 1 and span[0].word in DETERMINERS:
            span = span[1:]
        bare = self.text[span[0].start : span[-1].end]
        mention = self.known.resolve(bare)
        if mention.reading is Reading.ONE:
            return mention.devices[0], mention.repaired
        if mention.reading is Reading.SEVERAL:
            self.trouble.note("which_device", bare, mention.devices)
            raise Reject
        if GENERIC.fullmatch(fold(said)):
            return None, False
        self.trouble.note("unknown_device", bare)
        raise Reject

    def is_device(self, slot: str) -> bool:
        span = [each for each in self.span(slot) if each.word not in DETERMINERS]
        if not span:
            return False
        said = self.text[span[0].start : span[-1].end]
        if any(each.word.removesuffix("s") in HARDWARE and each.code != QUOTED for each in span):
            return True
        mention = self.known.resolve(said)
        return mention.reading in {Reading.ONE, Reading.SEVERAL} or bool(GENERIC.fullmatch(fold(said)))

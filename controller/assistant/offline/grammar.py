"""Templates to patterns: hassil's sentence language, matched over coded words.

hassil reads the templates (alternatives, options, rules, slots). Its recogniser is
not used: it rewrites what a wildcard caught, and a path must come back exactly as
it was typed. Each template becomes one anchored pattern whose groups are spans of words.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import yaml
from hassil.expression import Alternative, Expression, Group, ListReference, RuleReference, TextChunk
from hassil.parse_expression import parse_sentence

from controller.assistant.language import fold
from controller.assistant.offline.slots import Names
from controller.assistant.offline.tokens import STOP, Token

LANGUAGES = ("nl", "en")


@dataclass(eq=False)
class Template:
    """One way of saying something. `order` decides when several match: lower first."""

    intent: str
    fixed: dict[str, str]
    source: str
    order: int

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is first needed: all of them together take a second."""
        return re.compile(self.source)


@dataclass(frozen=True)
class Match:
    """A template and the words that each of its slots caught."""

    intent: str
    fixed: dict[str, str]
    slots: dict[str, tuple[int, int]]  # slot → first word, word after the last


@dataclass
class Vocabulary:
    """The word lists of both languages together."""

    stop: frozenset[str]
    fillers: frozenset[str]
    veto: dict[str, str]  # word → why nothing is done
    real: frozenset[str]  # words that are not somebody's typing error
    nouns: frozenset[str]
    verbs: frozenset[str]
    done: frozenset[str]  # what was done already: never part of an unquoted name
    commands: frozenset[str] = frozenset()  # every word that templates use


class Grammar:
    """The templates of all languages. Built once: reading them takes a tenth of a second."""

    def __init__(self) -> None:
        files = [_load(language) for language in LANGUAGES]
        self._rules: dict[str, Expression] = {}
        self._compiled: dict[str, str] = {}
        self._literals: set[str] = set()
        rules: defaultdict[str, list[str]] = defaultdict(list)
        for each in files:
            for name, said in each["rules"].items():
                rules[name].append(said)
        for name, said_by_each in rules.items():
            self._rules[name] = parse_sentence(f"({'|'.join(said_by_each)})").expression
        self._nouns = _listed(files, "nouns")
        self._by_first: defaultdict[str, list[Template]] = defaultdict(list)
        self._open: list[Template] = []
        for place, each in enumerate(files):
            for number, block in enumerate(each["intents"]):
                order = number + (1000 if block.get("last") else 0) + place
                for said in block["say"]:
                    self._add(block["intent"], block.get("with", {}), said, order)
        for group in (*self._by_first.values(), self._open):
            group.sort(key=lambda template: template.order)
        self._talk = [
            Template(block["intent"], {}, self._pattern(parse_sentence(said).expression, Names()) + "$", 0)
            for each in files
            for block in each["talk"]
            for said in block["say"]
        ]
        self.prefix = self._phrases(files, "prefix", r"^(?: ,| :| ;)*(?P<phrase>{})(?= |$)")
        self.wish = self._phrases(files, "wish", r"^(?P<phrase>{})(?= |$)")
        self.suffix = self._phrases(files, "suffix", r"(?P<phrase>(?: ,| ;)*(?:{}))(?: ,| ;)*$")
        self.thanks = self._phrases(files, "thanks", r"(?P<phrase>(?: ,| ;)*(?:{}))(?: ,| ;)*$")
        veto = {
            fold(word): why for each in files for why, words in each["veto"].items() for word in words.split()
        }
        self.words = Vocabulary(
            stop=_listed(files, "stop") | frozenset(veto),
            fillers=_listed(files, "fillers"),
            veto=veto,
            real=_listed(files, "real"),
            nouns=self._nouns,
            verbs=_listed(files, "verbs"),
            done=_listed(files, "done"),
            commands=frozenset(word for word in self._literals if len(word) > 2),
        )

    def matches(self, words: Sequence[Token]) -> Iterator[Match]:
        """Every template that fits all of these words, the most particular first."""
        if not words:
            return
        coded, starts = encode(words)
        chosen = self._by_first.get(words[0].word, ())
        merged = sorted((*chosen, *self._open), key=lambda template: template.order)
        yield from _matching(merged, coded, starts)

    def talk(self, words: Sequence[Token]) -> Match | None:
        """What these words say to the assistant itself, about no device; the first that fits."""
        return next(_matching(self._talk, *encode(words)), None)

    def warm(self, go_on: Callable[[], bool]) -> None:
        """Compile every template now rather than when a sentence first needs it, as long as `go_on` says so."""
        for template in (
            *self._talk,
            *self._open,
            *(each for group in self._by_first.values() for each in group),
        ):
            if not go_on():
                return
            _ = template.pattern

    def _add(self, intent: str, fixed: dict[str, str], said: str, order: int) -> None:
        expression = parse_sentence(said).expression
        template = Template(intent, fixed, self._pattern(expression, Names()) + "$", order)
        firsts, open_ended = self._firsts(expression)
        if open_ended:
            self._open.append(template)
            return
        for word in firsts:
            self._by_first[word].append(template)

    def _phrases(self, files: list[dict[str, Any]], key: str, shape: str) -> re.Pattern[str]:
        said: list[str] = []
        for each in files:
            lines = each[key]
            if isinstance(lines, list):
                said.extend(self._pattern(parse_sentence(str(line)).expression, Names()) for line in lines)
        return re.compile(shape.format("|".join(said)))

    def _pattern(self, expression: Expression, names: "Names") -> str:
        if isinstance(expression, TextChunk):
            return "".join(self._literal(word) for word in expression.text.split())
        if isinstance(expression, Alternative):
            single = [word for item in expression.items for word in self._single_words(item) or ()]
            others = [item for item in expression.items if self._single_words(item) is None]
            choices = [self._pattern(item, names) for item in others]
            real = [choice for choice in choices if choice]
            optional = expression.is_optional or len(real) < len(choices)
            if single:
                real.append(self._one_of(single))
            return f"(?:{'|'.join(real)}){'?' if optional else ''}"
        if isinstance(expression, Group):
            return "".join(self._pattern(item, names) for item in expression.items)
        if isinstance(expression, RuleReference):
            name = expression.rule_name
            if name not in self._compiled:
                self._compiled[name] = self._pattern(self._rules[name], names)
            return self._compiled[name]
        if isinstance(expression, ListReference):
            return names.slot(expression.list_name, self._nouns)
        raise ValueError(f"templates cannot hold {expression!r}")

    def _single_words(self, expression: Expression) -> list[str] | None:
        """The words, if this is one word out of several; such choices share one short pattern."""
        if isinstance(expression, TextChunk):
            words = expression.text.split()
            return words if len(words) == 1 else None
        if isinstance(expression, RuleReference):
            return self._single_words(self._rules[expression.rule_name])
        if isinstance(expression, Group):
            items = [i for i in expression.items if not (isinstance(i, TextChunk) and not i.text.strip())]
            if isinstance(expression, Alternative):
                if expression.is_optional:
                    return None
                found = [self._single_words(item) for item in items]
                return None if None in found else [word for each in found for word in each or ()]
            return self._single_words(items[0]) if len(items) == 1 else None
        return None

    def _one_of(self, words: list[str]) -> str:
        said = sorted({fold(word) for word in words})
        self._literals.update(said)
        return f" {STOP}?(?:{'|'.join(map(re.escape, said))})(?![^ ])"

    def _literal(self, word: str) -> str:
        said = fold(word)
        self._literals.add(said)
        return f" {STOP}?{re.escape(said)}"

    def _firsts(self, expression: Expression) -> tuple[set[str], bool]:
        """The words a template can begin with, and whether it can begin otherwise (a slot, nothing)."""
        if isinstance(expression, TextChunk):
            words = expression.text.split()
            return ({fold(words[0])}, False) if words else (set(), True)
        if isinstance(expression, RuleReference):
            return self._firsts(self._rules[expression.rule_name])
        if isinstance(expression, Alternative):
            found = [self._firsts(item) for item in expression.items]
            skips = expression.is_optional or any(opens for _, opens in found)
            return set().union(*(words for words, _ in found)), skips
        if isinstance(expression, Group):
            begun: set[str] = set()
            for item in expression.items:
                more, opens = self._firsts(item)
                begun |= more
                if isinstance(item, ListReference):
                    return begun, True
                if not opens:
                    return begun, False
            return begun, True
        return set(), True


def encode(words: Sequence[Token]) -> tuple[str, list[int]]:
    """The words as patterns see them, and where each begins."""
    starts: list[int] = []
    coded: list[str] = []
    at = 0
    for each in words:
        starts.append(at)
        coded.append(" " + each.code)
        at += len(each.code) + 1
    return "".join(coded), starts


def _matching(templates: Sequence[Template], coded: str, starts: list[int]) -> Iterator[Match]:
    for template in templates:
        if (found := template.pattern.match(coded)) is not None:
            yield Match(template.intent, template.fixed, _slots(found, starts))


def _slots(found: re.Match[str], starts: list[int]) -> dict[str, tuple[int, int]]:
    slots: dict[str, tuple[int, int]] = {}
    for group, value in found.groupdict().items():
        if value is not None:
            first, last = found.span(group)
            slots[group.split("__")[0]] = (bisect_left(starts, first), bisect_left(starts, last))
    return slots


def _listed(files: list[dict[str, Any]], key: str) -> frozenset[str]:
    return frozenset(fold(word) for each in files for word in str(each.get(key, "")).split())


def _load(language: str) -> dict[str, Any]:
    source = resources.files(__package__).joinpath(f"{language}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(source)
    return loaded

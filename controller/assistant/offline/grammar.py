"""All templates of both languages, and which of them fit a sentence.

hassil reads the templates (alternatives, options, rules, slots). Its recogniser is
not used: it rewrites what a wildcard caught, and a path must come back exactly as
it was typed. A template's pattern is made when a sentence holds the words that it needs.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import yaml
from hassil.expression import Expression
from hassil.parse_expression import parse_sentence

from controller.assistant.language import fold
from controller.assistant.offline.patterns import Patterns
from controller.assistant.offline.reading import Needs, Reading
from controller.assistant.offline.tokens import STOP, Token

LANGUAGES = ("nl", "en")


@dataclass(eq=False)
class Template:
    """One way of saying something. `order` decides when several match: lower first."""

    intent: str
    fixed: dict[str, str]
    order: int
    expression: Expression
    needs: Needs
    patterns: Patterns

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Made when it is first needed: all of them together take two seconds."""
        return re.compile(self.patterns.of(self.expression) + "$")

    def may_fit(self, said: Set[str]) -> bool:
        """Whether a sentence of these words has all that it needs."""
        return all(not said.isdisjoint(group) for group in self.needs)


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
    """The templates of all languages. Built once: reading them takes a quarter of a second."""

    def __init__(self) -> None:
        files = [_load(language) for language in LANGUAGES]
        said_by_each: defaultdict[str, list[str]] = defaultdict(list)
        for each in files:
            for name, said in each["rules"].items():
                said_by_each[name].append(said)
        rules = {name: _parsed(f"({'|'.join(said)})") for name, said in said_by_each.items()}
        nouns = _listed(files, "nouns")
        self._patterns = Patterns(rules, nouns)
        self._reading = Reading(rules)
        self._used: set[str] = set()
        self._by_first: defaultdict[str, list[Template]] = defaultdict(list)
        self._open: list[Template] = []
        for place, each in enumerate(files):
            for number, block in enumerate(each["intents"]):
                order = number + (1000 if block.get("last") else 0) + place
                for said in block["say"]:
                    self._add(self._template(block["intent"], said, block.get("with", {}), order))
        for group in (*self._by_first.values(), self._open):
            group.sort(key=lambda template: template.order)
        self._talk = [
            self._template(block["intent"], said, {}, 0)
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
            nouns=nouns,
            verbs=_listed(files, "verbs"),
            done=_listed(files, "done"),
            commands=frozenset(word for word in self._used if len(word) > 2),
        )

    def matches(self, words: Sequence[Token]) -> Iterator[Match]:
        """Every template that fits all of these words, the most particular first."""
        if not words:
            return
        chosen = self._by_first.get(words[0].word, ())
        yield from _matching(sorted((*chosen, *self._open), key=lambda template: template.order), words)

    def talk(self, words: Sequence[Token]) -> Match | None:
        """What these words say to the assistant itself, about no device; the first that fits."""
        return next(_matching(self._talk, words), None)

    def _template(self, intent: str, said: str, fixed: dict[str, str], order: int) -> Template:
        expression = self._noted(said)
        return Template(intent, fixed, order, expression, self._reading.needs(expression), self._patterns)

    def _add(self, template: Template) -> None:
        firsts, open_ended = self._reading.firsts(template.expression)
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
                said.extend(self._patterns.of(self._noted(str(line))) for line in lines)
        return re.compile(shape.format("|".join(said)))

    def _noted(self, said: str) -> Expression:
        """A template as it is read; its words are noted as words of commands."""
        expression = _parsed(said)
        self._used |= self._reading.uses(expression)
        return expression


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


def _matching(templates: Sequence[Template], words: Sequence[Token]) -> Iterator[Match]:
    coded, starts = encode(words)
    said = {each.code.removeprefix(STOP) for each in words}
    for template in templates:
        if template.may_fit(said) and (found := template.pattern.match(coded)) is not None:
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
    if not yaml.__with_libyaml__:  # ten times slower
        return dict(yaml.safe_load(source))
    return dict(yaml.load(source, Loader=yaml.CSafeLoader))


def _parsed(said: str) -> Expression:
    return parse_sentence(said).expression

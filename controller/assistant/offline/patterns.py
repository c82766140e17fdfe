"""Templates to patterns over coded words: one anchored pattern each, whose groups are spans of words."""

import re
from collections.abc import Mapping

from hassil.expression import Alternative, Expression, Group, ListReference, RuleReference, TextChunk

from controller.assistant.language import fold
from controller.assistant.offline.slots import Names
from controller.assistant.offline.tokens import STOP


class Patterns:
    """Makes patterns of templates whose rules are these. What a rule becomes is made once."""

    def __init__(self, rules: Mapping[str, Expression], nouns: frozenset[str]) -> None:
        self._rules = rules
        self._nouns = nouns
        self._made: dict[str, str] = {}
        self._single: dict[str, list[str] | None] = {}

    def of(self, expression: Expression) -> str:
        """The source of a template's pattern."""
        return self._pattern(expression, Names())

    def _pattern(self, expression: Expression, names: Names) -> str:
        if isinstance(expression, TextChunk):
            return "".join(f" {STOP}?{re.escape(fold(word))}" for word in expression.text.split())
        if isinstance(expression, Alternative):
            single = [word for item in expression.items for word in self._single_words(item) or ()]
            others = [item for item in expression.items if self._single_words(item) is None]
            choices = [self._pattern(item, names) for item in others]
            real = [choice for choice in choices if choice]
            optional = expression.is_optional or len(real) < len(choices)
            if single:
                real.append(_one_of(single))
            return f"(?:{'|'.join(real)}){'?' if optional else ''}"
        if isinstance(expression, Group):
            return "".join(self._pattern(item, names) for item in expression.items)
        if isinstance(expression, RuleReference):
            name = expression.rule_name
            if name not in self._made:
                self._made[name] = self._pattern(self._rules[name], names)
            return self._made[name]
        if isinstance(expression, ListReference):
            return names.slot(expression.list_name, self._nouns)
        raise ValueError(f"templates cannot hold {expression!r}")

    def _single_words(self, expression: Expression) -> list[str] | None:
        """The words, if this is one word out of several; such choices share one short pattern."""
        if isinstance(expression, TextChunk):
            words = expression.text.split()
            return words if len(words) == 1 else None
        if isinstance(expression, RuleReference):
            name = expression.rule_name
            if name not in self._single:
                self._single[name] = self._single_words(self._rules[name])
            return self._single[name]
        if isinstance(expression, Group):
            items = [i for i in expression.items if not (isinstance(i, TextChunk) and not i.text.strip())]
            if isinstance(expression, Alternative):
                if expression.is_optional:
                    return None
                found = [self._single_words(item) for item in items]
                return None if None in found else [word for each in found for word in each or ()]
            return self._single_words(items[0]) if len(items) == 1 else None
        return None


def _one_of(words: list[str]) -> str:
    said = sorted({fold(word) for word in words})
    return f" {STOP}?(?:{'|'.join(map(re.escape, said))})(?![^ ])"

"""Which words a template begins with, needs and uses: a look before its pattern is made, let alone tried."""

from collections.abc import Mapping

from hassil.expression import Alternative, Expression, Group, ListReference, RuleReference, TextChunk

from controller.assistant.language import fold

Needs = tuple[frozenset[str], ...]  # of each of these words one is there


class Reading:
    """Reads templates whose rules are these. What a rule says is looked up once."""

    def __init__(self, rules: Mapping[str, Expression]) -> None:
        self._rules = rules
        self._needed: dict[str, Needs] = {}
        self._used: dict[str, frozenset[str]] = {}

    def firsts(self, expression: Expression) -> tuple[set[str], bool]:
        """The words a template can begin with, and whether it can begin otherwise (a slot, nothing)."""
        if isinstance(expression, TextChunk):
            words = expression.text.split()
            return ({fold(words[0])}, False) if words else (set(), True)
        if isinstance(expression, RuleReference):
            return self.firsts(self._rules[expression.rule_name])
        if isinstance(expression, Alternative):
            found = [self.firsts(item) for item in expression.items]
            skips = expression.is_optional or any(opens for _, opens in found)
            return set().union(*(words for words, _ in found)), skips
        if isinstance(expression, Group):
            begun: set[str] = set()
            for item in expression.items:
                more, opens = self.firsts(item)
                begun |= more
                if isinstance(item, ListReference):
                    return begun, True
                if not opens:
                    return begun, False
            return begun, True
        return set(), True

    def needs(self, expression: Expression) -> Needs:
        """What every sentence that fits holds: one word of each group."""
        if isinstance(expression, TextChunk):
            return tuple(frozenset([fold(word)]) for word in expression.text.split())
        if isinstance(expression, RuleReference):
            name = expression.rule_name
            if name not in self._needed:
                self._needed[name] = self.needs(self._rules[name])
            return self._needed[name]
        if isinstance(expression, Alternative):
            each = [self.needs(item) for item in expression.items]
            if expression.is_optional or not all(each):
                return ()
            return (frozenset().union(*(min(groups, key=len) for groups in each)),)
        if isinstance(expression, Group):
            return tuple(group for item in expression.items for group in self.needs(item))
        return ()

    def uses(self, expression: Expression) -> frozenset[str]:
        """Every word that stands in it."""
        if isinstance(expression, TextChunk):
            return frozenset(fold(word) for word in expression.text.split())
        if isinstance(expression, RuleReference):
            name = expression.rule_name
            if name not in self._used:
                self._used[name] = self.uses(self._rules[name])
            return self._used[name]
        if isinstance(expression, Group):
            return frozenset().union(*(self.uses(item) for item in expression.items))
        return frozenset()

"""What somebody asks for, as words to be looked up. The text is data: it has no operators."""

from dataclasses import dataclass
from datetime import datetime

from controller.errors import InvalidArguments
from controller.services.actors import Role
from controller.services.search.forms import forms
from controller.services.search.hits import Kind
from controller.services.sight import Sight
from controller.store import fulltext

MAX_TEXT = 500  # characters
MAX_WORDS = 8
MAX_WORD = 100  # characters; a longer one is not looked up, nor kept


@dataclass(frozen=True, slots=True)
class Query:
    """Rows that hold all of these words. No kinds: of each; `since` counts, `until` does not any more."""

    text: str
    kinds: tuple[Kind, ...] = ()
    device_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wanted(self, sight: Sight) -> fulltext.Wanted:
        """The same for who sees this, as it is looked up.

        Raises:
            InvalidArguments: there is no word in it, or too much, or its time ends before it begins.
        """
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InvalidArguments("since: it must be before `until`.")
        return fulltext.Wanted(
            groups=_groups(self.text),
            kinds=frozenset(kind.value for kind in self.kinds),
            device_id=self.device_id,
            since=self.since,
            until=self.until,
            reader=None if sight.actor.role is Role.ADMIN else sight.actor.user,
            devices=None if sight.actor.sees_all else sight.roles.keys(),
        )


def _groups(text: str) -> list[tuple[str, ...]]:
    if len(text) > MAX_TEXT:
        raise InvalidArguments(f"A search has at most {MAX_TEXT} characters, not {len(text)}.")
    words = list(dict.fromkeys(fulltext.tokens(text)))
    if not words:
        raise InvalidArguments("There is no word in that: a search needs letters or digits.")
    if len(words) > MAX_WORDS:
        raise InvalidArguments(f"A search has at most {MAX_WORDS} words, not {len(words)}; leave out some.")
    if any(len(word) > MAX_WORD for word in words):
        raise InvalidArguments(f"A word has at most {MAX_WORD} characters.")
    return [forms(word) for word in words]

"""One clause of a sentence to calls: the first template that fits it all."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from controller.assistant.candidates import Directory
from controller.assistant.offline.caught import Caught
from controller.assistant.offline.change_calls import CHANGE_CALLS
from controller.assistant.offline.draft import Context, Draft, Reject, Trouble
from controller.assistant.offline.file_calls import FILE_CALLS
from controller.assistant.offline.grammar import Grammar, Vocabulary
from controller.assistant.offline.machine_calls import MACHINE_CALLS
from controller.assistant.offline.tokens import Token

CALLS = FILE_CALLS | CHANGE_CALLS | MACHINE_CALLS


@dataclass(slots=True)
class Clause:
    """Reads clauses of one text."""

    text: str
    grammar: Grammar
    known: Directory
    placed: bool = False  # the device is named outside the clause, so "on …" in a text names none
    trouble: Trouble = field(default_factory=Trouble)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.grammar.words

    def read(
        self, words: Sequence[Token], context: Context, *, wish: bool
    ) -> tuple[list[Draft], Context] | None:
        """The calls that these words ask for, or None when they are not understood."""
        for match in self.grammar.matches(words):
            if "wish" in match.fixed and not wish:
                continue
            try:
                caught = Caught(self, words, match, context)
                drafts = CALLS[match.intent](caught)
                device, repaired = caught.device()
            except Reject:
                continue
            if device is not None:
                drafts = [replace(each, device=device, repaired=each.repaired or repaired) for each in drafts]
            return drafts, caught.after
        return None

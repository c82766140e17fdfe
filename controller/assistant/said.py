"""How the planning part of a turn ended, before it is recorded and told."""

from dataclasses import dataclass

from controller.assistant.outcome import AskedBack, Outcome
from schemas.errors import ErrorBody


@dataclass(frozen=True, slots=True)
class Said:
    """How a planner's part of a turn ended, before it is put into words for the record."""

    outcome: Outcome
    text: str
    question: AskedBack | None = None
    about: str = ""  # the words of the sentence that the question is about
    error: ErrorBody | None = None

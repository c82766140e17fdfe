"""Answers that could not be written down: kept in memory, so that an id has one answer in this life."""

from collections import OrderedDict

from device_node.journal import Answer

MAX_KEPT = 10_000  # the oldest is forgotten for the next


class Refusals:
    """What was answered without the journal."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, command_id: str) -> Answer | None:
        return self._answers.get(command_id)

    def add(self, answer: Answer) -> None:
        """Remember it; the first answer to an id stands."""
        if answer.command_id in self._answers:
            return
        self._answers[answer.command_id] = answer
        if len(self._answers) > MAX_KEPT:
            self._answers.popitem(last=False)

    def oldest(self, limit: int) -> list[Answer]:
        """Some of them, to be written down."""
        return list(self._answers.values())[:limit]

    def drop(self, answers: list[Answer]) -> None:
        """The journal has these now."""
        for answer in answers:
            self._answers.pop(answer.command_id, None)

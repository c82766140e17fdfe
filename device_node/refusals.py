"""Answers that the journal could not take: kept until it can, so that an id has one answer.

They are in memory, and where possible in a file that has its room already, so that a full
disk and a crash together make nobody forget them.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable

from device_node.journal import Answer
from device_node.reserve import Refused, Reserve

logger = logging.getLogger(__name__)

MAX_KEPT = 10_000  # the oldest is forgotten for the next


class Refusals:
    """What was answered without the journal."""

    def __init__(self, reserve: Reserve) -> None:
        self._reserve = reserve
        self._answers: OrderedDict[str, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    async def load(self, answer: Callable[[Refused], Answer]) -> bool:
        """Remember what earlier lives refused; `answer` says it again. False when some of it is lost.

        Without a place for the file nothing was ever written there, so nothing is lost.
        """
        try:
            found = await asyncio.to_thread(self._reserve.open)
        except OSError as error:
            logger.debug("No room can be taken for refusals: %s", error)
            return True
        for refused in found:
            self._answers.setdefault(refused.command_id, answer(refused))
        if self._reserve.spoilt:
            logger.warning("%s", self.lost)
        return not self._reserve.spoilt

    @property
    def lost(self) -> str:
        """What it means when the file was damaged, for a person."""
        return (
            f"The file {self._reserve.path} was damaged, and a new one was made. Commands that this device "
            "refused while it could not use its journal may be forgotten, and would run if they came again."
        )

    def get(self, command_id: str) -> Answer | None:
        return self._answers.get(command_id)

    async def add(self, answer: Answer, *, interrupted: bool) -> None:
        """Remember it before it is said; the first answer to an id stands."""
        if answer.command_id in self._answers:
            return
        self._answers[answer.command_id] = answer
        if len(self._answers) > MAX_KEPT:
            self._answers.popitem(last=False)
        refused = Refused(answer.command_id, answer.expires_at, interrupted)
        try:
            await asyncio.to_thread(self._reserve.put, refused)
        except OSError as error:
            logger.debug("Command %s is refused in memory only: %s", answer.command_id, error)

    def oldest(self, limit: int) -> list[Answer]:
        """Some of them, to be written down."""
        return list(self._answers.values())[:limit]

    async def drop(self, answers: list[Answer]) -> None:
        """The journal has these now."""
        for answer in answers:
            self._answers.pop(answer.command_id, None)
        try:
            await asyncio.to_thread(self._reserve.drop, [answer.command_id for answer in answers])
        except OSError as error:
            logger.debug("Refusals stay in their file: %s", error)  # and are written down once more

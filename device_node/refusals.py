"""Answers that the journal could not take: kept until it can, so that an id has one answer.

They are in memory, and where possible in a file that has its room already, so that a full
disk and a crash together make nobody forget them. What stands in the file is also said until
an Ack names it, like any final reply.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable

from device_node.journal import Answer, Journal, Kind, Spooled
from device_node.reserve import Refused, Reserve
from device_node.spool import Spool

logger = logging.getLogger(__name__)

MAX_KEPT = 10_000  # the oldest is forgotten for the next


class Refusals:
    """What was answered without the journal, and is on its way by the spool."""

    def __init__(self, reserve: Reserve, spool: Spool) -> None:
        self._reserve = reserve
        self._spool = spool
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
            kept = self._answers.setdefault(refused.command_id, answer(refused))
            self.promise(kept)
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
        refused = Refused(answer.command_id, answer.expires_at, interrupted, answer.reply_to)
        try:
            await asyncio.to_thread(self._reserve.put, refused)
        except OSError as error:
            logger.debug("Command %s is refused in memory only: %s", answer.command_id, error)

    def promise(self, answer: Answer) -> bool:
        """Say it until an Ack names it; False when it is to be said once, by the caller.

        Once, when it waits for its Ack already. And once when a kill could make it forgotten: a later
        life that may run this command must not say that it never ran.
        """
        if self._spool.holds(Kind.REPLY, answer.command_id):
            return False
        if not answer.reply_to or not self._reserve.holds(answer.command_id):
            return False
        self._spool.hold(Spooled(Kind.REPLY, answer.command_id, answer.reply_to), answer.reply)
        return True

    async def write_down(self, journal: Journal, *, at_once: int) -> None:
        """Give them to the journal, those without an Ack as what waits for it.

        Raises:
            JournalUnusable: it still cannot take them.
            JournalFull: it has no room for them.
        """
        while answers := list(self._answers.values())[:at_once]:
            owed = {one.command_id for one in answers if self._spool.holds(Kind.REPLY, one.command_id)}
            await journal.settle(answers, owed=owed)
            for command_id in owed:
                self._spool.kept(Kind.REPLY, command_id)
            await self._drop(answers)

    async def _drop(self, answers: list[Answer]) -> None:
        for answer in answers:
            self._answers.pop(answer.command_id, None)
        try:
            await asyncio.to_thread(self._reserve.drop, [answer.command_id for answer in answers])
        except OSError as error:
            logger.debug("Refusals stay in their file: %s", error)  # and are written down once more

"""Trouble with the journal: told once, clearly, and ended as soon as it can be ended.

Meanwhile the node lives on: it is online, sends heartbeats, and refuses what it could not
write down.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pydantic import TypeAdapter

from device_node.events import Events
from device_node.journal import Journal, JournalFull, JournalInUse, JournalUnusable
from device_node.refusals import Refusals
from schemas.events import Severity
from schemas.ids import MessageId
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

_EVENT_ID = TypeAdapter[str](MessageId)
RETRY_EVERY = 5.0  # seconds
AT_ONCE = 500  # answers in one transaction


class Mending:
    """Watches one journal. `recover` is what is to be done once it can be used."""

    def __init__(
        self,
        journal: Journal,
        events: Events,
        refusals: Refusals,
        recover: Callable[[], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._events = events
        self._refusals = refusals
        self._recover = recover
        self._told: JournalUnusable | None = None
        self._event_id: str | None = None
        self._begun = False
        # whoever replaces a damaged journal starts the node anew: the next life has to say that it is over
        self._note = journal.path.with_name("trouble")
        self._noted = False
        journal.listen(self._noticed)

    async def tell_of_lost_refusals(self) -> None:
        """Report that an earlier life's refusals cannot be read; with the journal or without it."""
        data: JsonObject = {"code": "refusals_unreadable", "message": self._refusals.lost}
        try:
            await self._events.report("error_occurred", Severity.WARNING, data)
        except JournalUnusable:
            self._events.report_unkept("error_occurred", Severity.WARNING, data)

    async def begin(self) -> None:
        """Open the journal if that is possible now.

        Raises:
            JournalInUse: another node has it, and this one must not run beside it.
        """
        try:
            await self._journal.open()
            await self._recover()
            await self._end_earlier()
        except JournalInUse:
            raise
        except JournalUnusable as trouble:
            self._begun = True
            self._noticed(trouble)
            await self._leave_note()
        self._begun = True

    async def run(self) -> None:
        """Try again for as long as there is trouble, until cancelled."""
        while True:
            await asyncio.sleep(RETRY_EVERY)
            if self._told is not None or len(self._refusals) > 0:
                await self._leave_note()
                await self._try_again()

    def _noticed(self, trouble: JournalUnusable) -> None:
        if self._told is not None and self._told.reason == trouble.reason:
            return
        if not self._begun and isinstance(trouble, JournalInUse):
            return  # the node does not start
        self._told = trouble
        logger.error("Commands are refused. %s", trouble)
        self._event_id = self._events.report_unkept(
            "error_occurred", Severity.ERROR, {"code": trouble.code, "message": str(trouble)}
        )

    async def _try_again(self) -> None:
        try:
            if not self._journal.is_open:
                await self._journal.open()
            await self._refusals.write_down(self._journal, at_once=AT_ONCE)
            if self._told is None:
                return
            await self._events.keep_held()
            await self._recover()
            data: JsonObject = {"code": self._told.code, "message": "The journal can be used again."}
            await self._events.report("error_occurred", Severity.INFO, data, resolves=self._event_id)
            await asyncio.to_thread(self._note.unlink, missing_ok=True)
            self._noted = False
        except JournalUnusable as trouble:
            logger.debug("The journal still cannot be used: %s", trouble)
        except JournalFull as full:
            logger.debug("Answers stay in memory: %s", full)
        else:
            logger.info("The journal %s can be used again", self._journal.path)
            self._told = self._event_id = None

    async def _leave_note(self) -> None:
        """Keep for the next life which event is open. A disk that takes nothing keeps no note either."""
        if self._told is None or self._event_id is None or self._noted:
            return
        try:
            await asyncio.to_thread(self._note.write_text, self._event_id, encoding="ascii")
        except OSError as error:
            logger.debug("No note of the trouble can be kept: %s", error)
        else:
            self._noted = True

    async def _end_earlier(self) -> None:
        """Say that the trouble of an earlier life is over."""
        try:
            text = await asyncio.to_thread(self._note.read_text, encoding="ascii")
            event_id = _EVENT_ID.validate_python(text)
        except (OSError, ValueError):
            return
        data: JsonObject = {"code": "journal_unusable", "message": "The journal can be used again."}
        await self._events.report("error_occurred", Severity.INFO, data, resolves=event_id)
        await asyncio.to_thread(self._note.unlink, missing_ok=True)

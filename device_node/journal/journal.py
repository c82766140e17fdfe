"""Each command id once, and everything without an Ack, across the lives of the program.

`received → started → finished`: each step is written before anything is done on its
strength. What had started when the program died is not known to be done and never guessed.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from device_node.journal import commands, database, errors, outgoing
from device_node.journal.commands import Answer
from device_node.journal.entries import Entry, Kind, Limits, Spooled, State
from device_node.journal.errors import JournalUnusable
from device_node.journal.outgoing import Key, Shed
from device_node.journal.writer import Unit, Writer
from schemas.events import Event
from schemas.ids import new_id

logger = logging.getLogger(__name__)

MAX_CALLS = 1_000  # calls of the event loop that wait for the writer; the others wait for those

T = TypeVar("T")


class Journal:
    """The journal of one node. Its methods raise `JournalUnusable` until `open`, and when it cannot write.

    They belong to the event loop, but `start`, which is the tool threads'.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.limits = limits or Limits()
        self.trouble: JournalUnusable | None = None  # why it cannot be used now
        self._life = new_id()
        self._writer: Writer | None = None
        self._room = asyncio.Semaphore(MAX_CALLS)
        self._listener: Callable[[JournalUnusable], None] = lambda _trouble: None

    @property
    def is_open(self) -> bool:
        """Whether what it holds can be read."""
        return self._writer is not None

    def listen(self, listener: Callable[[JournalUnusable], None]) -> None:
        """Call it on the event loop for each failure, as long as there is trouble."""
        self._listener = listener

    async def open(self) -> None:
        """Open the file, or make it.

        Raises:
            JournalUnusable: it is damaged, newer, or cannot be written.
        """
        try:
            connection = await asyncio.to_thread(database.open_at, self.path)
        except JournalUnusable as error:
            self._failed(error)
            raise
        self._writer = Writer(connection, self.path)
        self.trouble = None

    async def close(self) -> None:
        """Do what was asked for, then let go of the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.to_thread(writer.close)

    async def receive(
        self,
        command_id: str,
        *,
        reply_to: str,
        expires_at: float,
        now: float,
        command: bytes | None = None,
        marks: Mapping[str, float] | None = None,
    ) -> Entry | None:
        """Write a new id down and answer None, or say what is known of it already.

        `command` is the order itself: what the id means from now on. `marks` are raised to
        these values with it. What is known is told as long as the file can be read, also
        when nothing can be written.

        Raises:
            JournalFull: there is no room for another id.
            JournalUnusable: this id cannot be written down; it is not known, unless the
                file cannot even be read.
        """
        fresh = Entry(command_id, State.RECEIVED, reply_to, expires_at=expires_at, command=command)

        def unit(db: sqlite3.Connection) -> Entry | None:
            _raise(db, marks)
            return commands.receive(db, fresh, limits=self.limits, keep_s=commands.KEEP, now=now)

        try:
            return await self._write(unit)
        except JournalUnusable as trouble:
            if self._writer is None:
                raise
            found = await self._read(lambda db: commands.known(db, command_id))
            if found is None:
                trouble.readable = True
                raise
            return found

    def start(self, command_id: str, *, changes: bool, again: bool = False) -> bool:
        """It starts now, unless it must not: then False. With `changes` the disk has it on return.

        Blocks; called from the tool's thread. `again` allows a second start.
        """
        writer = self._opened()
        try:
            return writer.submit(
                lambda db: commands.start(db, command_id, again=again), flushed=changes
            ).result()
        except JournalUnusable as trouble:
            self.trouble = trouble  # the loop is told when the outcome cannot be written either
            raise

    async def finish(self, command_id: str, *, reply_to: str, reply: bytes) -> Entry | None:
        """Write its one final reply, which waits for its Ack from now on.

        None when it is this one; else the entry with the final reply that it has already.
        """

        def unit(db: sqlite3.Connection) -> Entry | None:
            earlier = commands.finish(db, command_id, reply_to=reply_to, reply=reply)
            if earlier is None:
                outgoing.add_reply(db, command_id, reply_to, len(reply))
            return earlier

        return await self._write(unit)

    async def cancel(
        self, command_id: str, *, expires_at: float, marks: Mapping[str, float] | None = None
    ) -> Entry | None:
        """Keep it from starting for good. The entry is what was known of it before, None for nothing."""

        def unit(db: sqlite3.Connection) -> Entry | None:
            _raise(db, marks)
            return commands.cancel(db, command_id, expires_at=expires_at)

        return await self._write(unit)

    async def acknowledge(
        self, *, replies: Iterable[str], events: Iterable[str], marks: Mapping[str, float] | None = None
    ) -> None:
        """The controller has stored these for good."""
        replies, events = list(replies), list(events)

        def unit(db: sqlite3.Connection) -> None:
            _raise(db, marks)
            outgoing.remove(db, Kind.REPLY, replies)
            outgoing.remove(db, Kind.EVENT, events)
            commands.acknowledge(db, replies)

        await self._write(unit)

    async def report(self, event: Event, topic: str) -> Shed:
        """Keep an event until its Ack; says which older ones had to go for it."""
        return await self._write(
            lambda db: outgoing.add_event(db, event, topic, limits=self.limits, life=self._life)
        )

    async def settle(self, answers: Iterable[Answer], *, owed: Collection[str] = ()) -> None:
        """Write down what was answered while nothing could be written; `owed` are the ids without an Ack.

        Raises:
            JournalFull: there is no room for more ids, or for what waits for its Ack.
        """
        answers = list(answers)

        def unit(db: sqlite3.Connection) -> None:
            commands.settle(db, answers, limits=self.limits, owed=len(owed))
            for answer in answers:
                if answer.command_id in owed:
                    outgoing.add_reply(db, answer.command_id, answer.reply_to, len(answer.reply))

        await self._write(unit)

    async def known(self, command_id: str) -> Entry | None:
        """What there is of an id; nothing is written."""
        return await self._read(lambda db: commands.known(db, command_id))

    async def interrupted(self) -> list[Entry]:
        """What has started and has no final reply, oldest first."""
        return await self._read(commands.started)

    async def waiting(self) -> list[Spooled]:
        """Everything without an Ack, oldest first."""
        return await self._read(outgoing.waiting)

    async def payloads(self, wanted: Iterable[Key]) -> dict[Key, bytes]:
        """What is to be sent; what is gone meanwhile is left out."""
        wanted = list(wanted)
        return await self._read(lambda db: outgoing.payloads(db, wanted))

    async def close_report(self) -> bool:
        """Let the report of lost events be sent; False while more are likely to be lost."""
        return await self._write(lambda db: outgoing.close_report(db, self.limits))

    async def forget(self, *, now: float) -> int:
        """Drop ids a day past their expiry: they cannot run any more whatever arrives."""
        return await self._write(lambda db: commands.forget(db, before=now - commands.KEEP))

    async def mark(self, key: str) -> float | None:
        """A number that was noted under this name."""

        def unit(db: sqlite3.Connection) -> float | None:
            row = db.execute("SELECT value FROM marks WHERE key = ?", (key,)).fetchone()
            return None if row is None else float(row[0])

        return await self._read(unit)

    async def set_marks(self, marks: Mapping[str, float]) -> None:
        """Note numbers by name, all or none."""
        rows = list(marks.items())
        await self._write(
            lambda db: db.executemany(
                "INSERT INTO marks VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", rows
            )
        )

    async def _write(self, unit: Unit[T]) -> T:
        writer = self._opened()
        try:
            async with self._room:
                value = await asyncio.wrap_future(writer.submit(unit))
        except JournalUnusable as trouble:
            self._failed(trouble)
            raise
        self.trouble = None
        return value

    async def _read(self, unit: Unit[T]) -> T:
        writer = self._opened()
        try:
            async with self._room:
                return await asyncio.wrap_future(writer.submit(unit, writes=False))
        except JournalUnusable as trouble:
            self._failed(trouble)
            raise

    def _failed(self, trouble: JournalUnusable) -> None:
        self.trouble = trouble
        self._listener(trouble)

    def _opened(self) -> Writer:
        if self._writer is not None:
            return self._writer
        if (cause := self.trouble) is None:
            raise errors.closed(self.path)
        raise JournalUnusable(cause.path, cause.reason, cause.remedy, code=cause.code)


def _raise(db: sqlite3.Connection, marks: Mapping[str, float] | None) -> None:
    """Note numbers that only grow; a smaller one changes nothing."""
    if marks:
        db.executemany(
            "INSERT INTO marks VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value "
            "WHERE excluded.value > value",
            list(marks.items()),
        )

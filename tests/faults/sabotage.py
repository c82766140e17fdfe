"""What the harness can break on purpose, in the driver's processes only.

Each takes away one pillar of the promise; a judgement that stays green then proves nothing.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from broker.session import Received, Session
from controller.mqtt import inbox, routes
from controller.services import events
from device_node.journal import Journal, Kind, Spooled
from device_node.replies import Replies
from device_node.spool import Spool
from schemas.commands import Reply
from schemas.events import Event
from schemas.ids import new_id


@dataclasses.dataclass(frozen=True, slots=True)
class Sabotage:
    """How to break something, words of the fault that must be found, and the points that bring it to light."""

    apply: Callable[[], None]
    found_as: str
    points: frozenset[str]


EARLY = 0.05  # seconds between the word that it is stored and the storing


def journal_off() -> None:
    """The node remembers no id: what comes twice runs twice."""
    inner = Journal.receive

    async def receive(self: Journal, *arguments: Any, **named: Any) -> Any:
        await inner(self, *arguments, **named)

    replace(Journal, receive=receive, start=_started)


def start_not_written() -> None:
    """The node does not write down that a command has started: after a crash it runs again."""
    replace(Journal, start=_started)


def _started(_self: Journal, *_arguments: Any, **_named: Any) -> bool:
    return True


def acks_first() -> None:
    """The controller says that events and replies are stored before it stores them."""

    async def serve(self: inbox.Inbox, session: Session, **_named: Any) -> None:
        while True:
            batch = await session.receive(inbox.BATCH)
            for message in batch:
                session.ack(message)
            await self._outbox.acknowledge([one for message in batch if (one := _receipt(self, message))])
            await asyncio.sleep(EARLY)
            await self._handle(batch)

    replace(inbox.Inbox, serve=serve)


def _receipt(self: inbox.Inbox, message: Received) -> routes.Receipt | None:
    address = self._topics.parse(message.topic)
    if address is None:
        return None
    if address.kind == "event":
        return routes.Receipt(address.owner, event=Event.decode(message.payload).id)
    if address.kind == "reply" and (reply := Reply.decode(message.payload)).status.is_final:
        return routes.Receipt(address.owner, reply=reply.command_id)
    return None


def events_doubled() -> None:
    """The controller stores each arrival of an event under a new id."""
    inner = events.store_all

    def store_all(session: Any, arrivals: Sequence[events.Arrival]) -> int:
        doubled = [
            dataclasses.replace(one, event=one.event.model_copy(update={"id": new_id()})) for one in arrivals
        ]
        return inner(session, doubled)

    vars(events)["store_all"] = store_all


def replies_not_kept() -> None:
    """The node writes a final reply down and then neither sends nor repeats it."""
    inner = Spool.add

    def again(_self: Replies, _reply_to: str, _payload: bytes) -> None:
        return None

    def add(self: Spool, message: Spooled, payload: bytes) -> Any:
        return None if message.kind is Kind.REPLY else inner(self, message, payload)

    replace(Replies, again=again)
    replace(Spool, add=add)


def replace(owner: type, **methods: Callable[..., Any]) -> None:
    """Put methods in the place of a class's own, in this process."""
    for name, method in methods.items():
        getattr(owner, name)  # it must be there to be broken
        setattr(owner, name, method)


SABOTAGES: dict[str, Sabotage] = {
    "journal": Sabotage(journal_off, "took effect", frozenset({"reply sent"})),
    "start": Sabotage(start_not_written, "took effect", frozenset({"after the effect"})),
    "replies": Sabotage(replies_not_kept, "given up, though its device knew its end", frozenset()),
    "acks": Sabotage(acks_first, "kept events are lost", frozenset({"reply or event arrived"})),
    "events": Sabotage(events_doubled, "events stored more than once", frozenset()),
}

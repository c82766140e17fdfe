"""Acks: what the controller has stored for good, and what it will never store."""

from broker.session import Received
from device_node.clock import Clock
from device_node.complaints import Complaints
from device_node.spool import Spool
from device_node.trust import Trust
from schemas.commands import Ack
from schemas.wire import MalformedMessage


class Acks:
    """Takes Acks in: the clock learns from them, and the spool lets go of what they name."""

    def __init__(self, trust: Trust, clock: Clock, spool: Spool, complaints: Complaints) -> None:
        self._trust = trust
        self._clock = clock
        self._spool = spool
        self._complaints = complaints

    async def take(self, message: Received) -> None:
        """Believe one Ack, if it is the controller's."""
        if await self._trust.refuses(message):
            return
        try:
            ack = Ack.decode(message.payload)
        except MalformedMessage as malformed:
            self._complaints.add("malformed", message.topic, malformed.reason)
            return
        refused = [refusal.id for refusal in ack.refused or ()]
        replies, events = [*(ack.replies or ()), *refused], [*(ack.events or ()), *refused]
        self._clock.acknowledged(ack.at, [*replies, *events], arrived_at=message.arrived_at)
        await self._spool.acknowledge(replies=replies, events=events, marks=self._clock.heard)

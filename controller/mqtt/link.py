"""The controller's session with the broker: birth, subscriptions, and a clean end.

Retained presence and profiles come again at every connect, so what is believed of
devices is what the broker holds now.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from broker.session import (
    Connected,
    Endpoint,
    RetainHandling,
    Session,
    SessionError,
    Subscription,
    Will,
    keep_connected,
)
from controller.mqtt.inbox import Inbox
from controller.mqtt.outbox import Outbox
from schemas.devices import Presence
from schemas.ids import new_id
from schemas.topics import Kind, Topics

logger = logging.getLogger(__name__)

IN_FLIGHT = 1_000  # QoS 1 messages that may be here unacknowledged; the inbox takes them in batches
GOODBYE_WITHIN = 2.0  # seconds for the last presence

Password = Callable[[], Awaitable[str | None]]  # the present one, asked for before every connect


class Link:
    """Connects for as long as the program lives. `online` tells whether the broker is reached."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        instance: str,
        topics: Topics,
        inbox: Inbox,
        outbox: Outbox,
        password: Password | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._password = password
        self._instance = instance
        self._topics = topics
        self._inbox = inbox
        self._outbox = outbox
        self._boot_id = new_id()
        self._session: Session | None = None
        self.online = asyncio.Event()
        self.losses = 0  # connections that have ended

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until `stop`, then say goodbye."""
        async with asyncio.TaskGroup() as group:
            tending = group.create_task(self._outbox.tend(), name="tend")
            await keep_connected(self._open, lambda session, _: self._serve(session, _, stop), stop=stop)
            tending.cancel()

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""
        return self.online.is_set()

    def queues(self) -> dict[str, float]:
        """How much waits: messages that arrived, and commands on their way."""
        session = self._session
        return {"inbox": 0 if session is None else session.waiting, "outbox": len(self._outbox.courier)}

    def forget(self, device_id: str) -> None:
        """Take a removed device's retained words from the broker."""
        self._outbox.clear_retained(device_id)

    def say_revoked(self, device_id: str, boot_id: str) -> None:
        """Correct the presence of a device that is let in no more."""
        self._outbox.say_revoked(device_id, boot_id)

    def announce_keys(self) -> None:
        """Say which keys count now."""
        self._outbox.announce_keys()

    async def look_again(self, device_id: str) -> None:
        """Ask the broker for what it holds of one device: its place may be newer than its words."""
        session = self._session
        if session is None:
            return
        filters = [self._topics.device(device_id, kind) for kind in (Kind.PROFILE, Kind.PRESENCE)]
        try:
            await session.subscribe([Subscription(each) for each in filters])
            await session.unsubscribe(filters)
        except SessionError as error:
            logger.info("Could not look at %s again: %s", device_id, error)  # the next connect brings it

    def use(self, password: str) -> None:
        """Connect with another password from now on."""
        self._endpoint = replace(self._endpoint, password=password)

    async def _open(self) -> Session:
        if self._password is not None and (password := await self._password()) is not None:
            self.use(password)
        topic = self._topics.controller_presence(self._instance)
        will = Will(topic, self._presence("offline", "connection_lost"))
        return Session(
            self._endpoint,
            client_id=f"controller-{self._instance}",
            will=will,
            receive_maximum=IN_FLIGHT,
        )

    async def _serve(self, session: Session, connected: Connected, stop: asyncio.Event) -> None:
        if not connected.session_present:
            await self._inbox.forget_lives()
        async with asyncio.TaskGroup() as group:
            working = [
                group.create_task(
                    self._inbox.serve(session, stalled=lambda: self._say_online(session)), name="inbox"
                ),
                group.create_task(self._outbox.serve(session), name="outbox"),
                group.create_task(self._outbox.responses.serve(session), name="responses"),
            ]
            await session.subscribe(self._subscriptions())
            await self._say_online(session)
            self._session = session
            self.online.set()
            try:
                await stop.wait()
                await self._say_goodbye(session)
            finally:
                self._session = None
                self.online.clear()
                self.losses += 1
                for task in working:
                    task.cancel()

    def _say_online(self, session: Session) -> asyncio.Future[int]:
        """Say that we are there; that comes back to us after what the broker kept."""
        payload = self._presence("online")
        self._inbox.mark(payload)
        return session.publish(self._topics.controller_presence(self._instance), payload, retain=True)

    async def _say_goodbye(self, session: Session) -> None:
        payload = self._presence("offline", "stopped")
        try:
            async with asyncio.timeout(GOODBYE_WITHIN):
                await session.publish(self._topics.controller_presence(self._instance), payload, retain=True)
        except (TimeoutError, SessionError) as error:
            logger.warning("The broker did not take the last presence: %s", error)

    def _presence(self, state: str, reason: str | None = None) -> bytes:
        return Presence.model_validate(
            {"state": state, "at": datetime.now(UTC), "boot_id": self._boot_id, "reason": reason}
        ).encode()

    def _subscriptions(self) -> list[Subscription]:
        every, of_users = self._topics.every_device, self._topics.every_user
        # a live message of these is told from a stored one by its retain flag
        states = [
            Subscription(every(Kind.PROFILE)),
            Subscription(every(Kind.PRESENCE)),
            Subscription(every(Kind.HEARTBEAT), qos=0),
        ]
        # a retained one of these would come again after every restart: the flag must reach us
        happenings = [
            Subscription(each, retain_as_published=True, retain_handling=RetainHandling.DO_NOT_SEND)
            for each in (
                every(Kind.EVENT),
                every(Kind.REPLY),
                of_users(Kind.REQUEST),
                of_users(Kind.DECISION),
                self._topics.every_join_request(),
            )
        ]
        cards = Subscription(self._topics.approval("+"), no_local=True)
        own = Subscription(
            self._topics.controller_presence(self._instance), retain_handling=RetainHandling.DO_NOT_SEND
        )
        return [*happenings, *states, cards, own]

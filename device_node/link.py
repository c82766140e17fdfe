"""The node's line to the broker: its birth, its heartbeats, and what waits for an Ack.

Every connect goes the same way, in this order: will, CONNECT, SUBSCRIBE, Profile, Presence
`online`, the spool, heartbeats. Nothing is sent to the controller before that.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import groupby
from operator import attrgetter

from broker.session import (
    Connected,
    ConnectFailed,
    ConnectionLost,
    PublishProperties,
    Received,
    RetainHandling,
    Session,
    Subscription,
    Will,
    keep_connected,
)
from broker.session.reconnect import REMEDY
from device_node import monitors
from device_node.journal import JournalUnusable
from device_node.settings import NodeSettings
from device_node.spool import Spool
from schemas.devices import Heartbeat, Presence, Profile
from schemas.topics import Kind, Topics

logger = logging.getLogger(__name__)

CONFIRMED_WITHIN = 10.0  # seconds for the broker to acknowledge a step of the birth
FAREWELL_WITHIN = 0.7  # seconds for it to acknowledge the last word
REST_WITHIN = 1.5  # seconds for it to acknowledge that the device goes to sleep
BATCH = 50  # messages taken at once

MAX_WITHHELD = 50  # PUBACKs; the broker sends no more than so many without one

After = Callable[[], object] | None
Renew = Callable[[], Awaitable[NodeSettings | None]]
Handler = Callable[[Received], Awaitable[After]]  # what it returns is done once the message was acknowledged


async def stay_the_same() -> None:
    """For a device that has one identity for all of its life."""


class Verdict(Enum):
    """What became of a message; only what is done is acknowledged."""

    DONE = auto()
    UNKEPT = auto()
    FAILED = auto()


class Link:
    """One node's connection, for as long as the program lives.

    `renew` is asked before the next attempt when the broker did not let the device in: who it is now, if
    it has joined anew meanwhile.
    """

    def __init__(
        self,
        settings: NodeSettings,
        boot_id: str,
        spool: Spool,
        profile: Callable[[], Awaitable[Profile]],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        renew: Renew = stay_the_same,
    ) -> None:
        self._settings = settings
        self._renew = renew
        self._tried: Session | None = None  # the latest, whatever became of it
        self._boot_id = boot_id
        self._spool = spool
        self._profile = profile
        self._now = now  # the device's own clock, so that the controller can see when it is wrong
        self._topics = Topics(settings.prefix)
        self._session: Session | None = None  # set while the birth is over and the line stands
        self._beats = 0
        self._leave = asyncio.Event()  # the line is to be given up, for good or for a while
        self._why_rest: str | None = None
        self._resume = asyncio.Event()
        self._gone = asyncio.Event()
        self._gone.set()

    def send(self, topic: str, payload: bytes) -> asyncio.Future[int] | None:
        """Publish, signed, or None when there is no line; what must arrive is in the spool as well."""
        if self._session is None or not self._session.alive:
            return None
        return self._session.publish(topic, payload, properties=self._signed(topic, payload))

    async def run(
        self,
        handlers: Mapping[Kind, Handler],
        *,
        states: Mapping[str, Handler],
        stop: asyncio.Event,
        ready: Callable[[], None],
        wind_down: Callable[[], Awaitable[None]],
    ) -> None:
        """Keep the line until `stop`, then wind down, say `offline` and close it.

        `handlers` are of this device's own topics, whose retained messages are not wanted;
        `states` are of others, whose retained message is what they are there for.
        """
        own = {self._topic(kind): handler for kind, handler in handlers.items()}
        routes = {**states, **own}
        # states first: what they say counts for what comes after them
        subscriptions = [Subscription(topic, retain_as_published=True) for topic in states]
        subscriptions += [
            Subscription(topic, retain_handling=RetainHandling.DO_NOT_SEND, retain_as_published=True)
            for topic in own
        ]

        async def serve(session: Session, _connected: Connected) -> None:
            await self._be_born(session, subscriptions)
            ready()
            try:
                await self._live(session, routes)
                if stop.is_set():
                    await wind_down()
                    await self._say_goodbye(session, "stopped", within_s=FAREWELL_WITHIN)
                elif self._why_rest is not None:
                    await self._say_goodbye(session, self._why_rest, within_s=REST_WITHIN)
                else:
                    raise ConnectionLost("the machine slept")
            finally:
                self._session = None
                self._spool.end()

        stopping = asyncio.create_task(stop.wait(), name="link-stop")
        stopping.add_done_callback(lambda _: self._leave.set())
        try:
            while not stop.is_set():
                self._leave.clear()
                self._gone.clear()
                await keep_connected(self._open, serve, stop=self._leave, remedy=self._remedy)
                self._gone.set()
                if self._why_rest is not None:
                    resuming = asyncio.create_task(self._resume.wait(), name="link-resume")
                    await asyncio.wait((resuming, stopping), return_when=asyncio.FIRST_COMPLETED)
                    resuming.cancel()
        finally:
            self._gone.set()
            stopping.cancel()

    async def rest(self, reason: str) -> None:
        """Say `offline` for this reason, close the line, and stay away until `resume`."""
        self._resume.clear()
        self._why_rest = reason
        self._leave.set()
        await self._gone.wait()

    def resume(self) -> None:
        """Connect again at once, also when the line seems to stand: a sleeping machine loses it unseen."""
        self._why_rest = None
        self._resume.set()
        self._leave.set()

    async def publish_profile(self) -> None:
        """Say again what this device is, after its policy changed."""
        profile = await self._profile()
        if self._session is not None and self._session.alive:
            topic, payload = self._topic(Kind.PROFILE), profile.encode()
            self._session.publish(topic, payload, retain=True, properties=self._signed(topic, payload))

    @property
    def _remedy(self) -> str:
        if not self._settings.controller_keys:
            return REMEDY
        return (
            "if it was revoked, or its place was given to another computer, let it join anew: `orion devices invite "
            f"{self._settings.device_id}` on the controller's computer, then `orion node join HOST` here, "
            "while this node runs"
        )

    async def _open(self) -> Session:
        failed = None if self._tried is None else self._tried.error
        if isinstance(failed, ConnectFailed) and failed.not_let_in:
            self._settings = await self._renew() or self._settings
        self._tried = self._opened()
        return self._tried

    def _opened(self) -> Session:
        presence = self._presence("offline", "connection_lost")
        return Session(
            self._settings.endpoint,
            client_id=self._settings.device_id,
            will=Will(self._topic(Kind.PRESENCE), presence.encode(), delay_s=self._settings.will_delay_s),
        )

    async def _be_born(self, session: Session, subscriptions: list[Subscription]) -> None:
        await session.subscribe(subscriptions)
        profile = await self._profile()
        await self._confirmed(session, Kind.PROFILE, profile.encode())
        await self._confirmed(session, Kind.PRESENCE, self._presence("online").encode())
        self._session = session
        await self._spool.begin(self.send)

    async def _confirmed(self, session: Session, kind: Kind, payload: bytes) -> None:
        try:
            async with asyncio.timeout(CONFIRMED_WITHIN):
                topic = self._topic(kind)
                signed = self._signed(topic, payload) if kind is Kind.PROFILE else None
                await session.publish(topic, payload, retain=True, properties=signed)
        except TimeoutError as error:
            raise ConnectionLost(f"the broker did not acknowledge the {kind}") from error

    async def _live(self, session: Session, routes: Mapping[str, Handler]) -> None:
        tasks = {
            asyncio.create_task(self._receive(session, routes), name="link-receive"),
            asyncio.create_task(self._beat(session), name="link-heartbeat"),
            asyncio.create_task(self._spool.run(), name="link-spool"),
            asyncio.create_task(self._leave.wait(), name="link-leave"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()

    async def _receive(self, session: Session, routes: Mapping[str, Handler]) -> None:
        withheld = 0
        while True:
            received = await session.receive(BATCH)
            # those of one kind in a row are taken in together, so that they share a transaction
            for _, group in groupby(received, key=attrgetter("topic")):
                messages = list(group)
                taken = await asyncio.gather(*(self._take_in(message, routes) for message in messages))
                for message, (verdict, after) in zip(messages, taken, strict=True):
                    withheld += verdict is Verdict.UNKEPT
                    if verdict is Verdict.DONE or (verdict is Verdict.UNKEPT and withheld > MAX_WITHHELD):
                        session.ack(message)
                    if after is not None:
                        after()

    async def _take_in(self, message: Received, routes: Mapping[str, Handler]) -> tuple[Verdict, After]:
        try:
            if (handle := routes.get(message.topic)) is not None:
                return Verdict.DONE, await handle(message)
        except JournalUnusable as trouble:
            # it comes again: after the next connect, or because its sender has no answer
            logger.debug("A message on %s could not be kept: %s", message.topic, trouble)
            return Verdict.UNKEPT, None
        except Exception:  # the line must outlive one message, whatever is in it
            logger.exception("Could not take in a message on %s; it is not acknowledged", message.topic)
            return Verdict.FAILED, None
        return Verdict.DONE, None

    async def _beat(self, session: Session) -> None:
        while True:
            readings = await asyncio.to_thread(monitors.measure)
            heartbeat = Heartbeat(
                at=self._now(),
                seq=self._beats,
                boot_id=self._boot_id,
                uptime_s=readings.uptime_s,
                cpu_percent=readings.cpu_percent,
                memory_percent=readings.memory_percent,
                disks=readings.disks,
                battery_percent=readings.battery_percent,
                temperatures=readings.temperatures,
            )
            self._beats += 1
            session.publish(self._topic(Kind.HEARTBEAT), heartbeat.encode(), qos=0, retain=True)
            await asyncio.sleep(self._settings.heartbeat_s)

    async def _say_goodbye(self, session: Session, reason: str, *, within_s: float) -> None:
        self._session = None
        presence = self._presence("offline", reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await session.publish(self._topic(Kind.PRESENCE), presence.encode(), retain=True)

    def _signed(self, topic: str, payload: bytes) -> PublishProperties | None:
        signer = self._settings.signer
        return PublishProperties(user_properties=signer.sign(topic, payload)) if signer else None

    def _topic(self, kind: Kind) -> str:
        return self._topics.device(self._settings.device_id, kind)

    def _presence(self, state: str, reason: str | None = None) -> Presence:
        return Presence.model_validate(
            {"state": state, "at": self._now(), "boot_id": self._boot_id, "reason": reason}
        )

"""A password is replaced in the middle of traffic, and every message arrives."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from broker.rights import Role
from broker.session import Backoff, Connected, Endpoint, Session, Subscription, keep_connected
from tests.broker.administered import Administered, ask_for, heard_until, joined

QUICK = Backoff(not_let_in_s=0.1, taken_over_s=0.1)
EITHER_SIDE = 200  # messages before and after
WITHIN = 20.0  # seconds


class Talker:
    """Says numbers, each until the broker has taken it, and hears the other side's."""

    def __init__(self, endpoint: Endpoint, says: str, hears: str) -> None:
        self.endpoint = endpoint
        self.said = 0
        self.heard: set[int] = set()
        self.lives = 0
        self._changed = asyncio.Condition()
        self._says, self._hears = says, hears
        self._stop = asyncio.Event()
        self.listens = asyncio.Event()
        self._may_speak = asyncio.Event()
        self._quiet, self._silent = asyncio.Event(), asyncio.Event()

    async def talk(self) -> None:
        await keep_connected(self._open, self._serve, stop=self._stop, backoff=QUICK)

    def stop(self) -> None:
        self._stop.set()

    def speak(self) -> None:
        """Begin; not before the other side listens."""
        self._may_speak.set()

    async def fall_silent(self) -> None:
        """Stop once what is being said has been taken."""
        self._quiet.set()
        async with asyncio.timeout(WITHIN):
            await self._silent.wait()

    async def hears(self, count: int) -> None:
        """Return once so many different messages were heard."""
        async with asyncio.timeout(WITHIN), self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= count)

    def _open(self) -> Session:
        return Session(self.endpoint, client_id=self.endpoint.username or "")

    async def _serve(self, session: Session, _connected: Connected) -> None:
        self.lives += 1
        await session.subscribe([Subscription(self._hears)])
        self.listens.set()
        async with asyncio.TaskGroup() as group:
            talking = [group.create_task(self._say(session)), group.create_task(self._hear(session))]
            await self._stop.wait()
            for each in talking:
                each.cancel()

    async def _say(self, session: Session) -> None:
        await self._may_speak.wait()
        while not self._quiet.is_set():
            await session.publish(self._says, str(self.said).encode())
            self.said += 1
        self._silent.set()

    async def _hear(self, session: Session) -> None:
        while True:
            for message in await session.receive(100):
                self.heard.add(int(message.payload))
                session.ack(message)
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def loses_nothing(rotating: Talker, other: Talker, rotate: Callable[[], Awaitable[str]]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in (rotating, other):
            group.create_task(each.talk())
        async with asyncio.timeout(WITHIN):
            for each in (rotating, other):
                await each.listens.wait()
        rotating.speak()
        other.speak()
        for each in (rotating, other):
            await each.hears(EITHER_SIDE)
        rotating.endpoint = replace(rotating.endpoint, password=await rotate())
        for each in (rotating, other):
            await each.hears(len(each.heard) + EITHER_SIDE)
        for each, hearer in ((rotating, other), (other, rotating)):
            await each.fall_silent()
            await hearer.hears(each.said)
            assert hearer.heard == set(range(each.said))
        rotating.stop()
        other.stop()
    # more than once: whoever is quick comes back before the broker knows
    assert rotating.lives >= 2, "a session that was opened with the old password lived on"
    assert other.lives == 1, "somebody else was disturbed"


async def test_of_a_device(administered: Administered) -> None:
    topics = "orion/v1/devices/a"
    device = Talker(await administered.device("a"), f"{topics}/event", f"{topics}/command")
    controller = Talker(administered.controller, f"{topics}/command", f"{topics}/event")

    await loses_nothing(device, controller, lambda: administered.administration.rotate("a"))


async def test_of_a_user(administered: Administered) -> None:
    topics = "orion/v1/users/ada"
    password = await administered.administration.add_user("ada", Role.VIEWER)
    user = Talker(administered.endpoint("ada", password), f"{topics}/request", f"{topics}/response")
    controller = Talker(administered.controller, f"{topics}/response", f"{topics}/request")

    await loses_nothing(user, controller, lambda: administered.administration.rotate("ada"))


async def test_of_the_controller(administered: Administered) -> None:
    topics = "orion/v1/devices/a"
    device = Talker(await administered.device("a"), f"{topics}/event", f"{topics}/command")
    controller = Talker(administered.controller, f"{topics}/command", f"{topics}/event")

    await loses_nothing(controller, device, lambda: administered.administration.rotate("controller-main"))


async def test_nothing_foreign_arrives_by_it(administered: Administered) -> None:
    password = await administered.administration.add_user("ada", Role.VIEWER)
    async with joined(administered.controller) as controller:
        async with joined(administered.endpoint("ada", password), session_expiry_s=60) as session:
            await ask_for(session, ["#", "orion/v1/users/ada/response"])
            password = await administered.administration.rotate("ada")
        for topic in ("orion/v1/devices/a/command", "orion/v1/approvals/1", "orion/v1/users/ada/response"):
            await controller.publish(topic, b"1")
        async with joined(administered.endpoint("ada", password), session_expiry_s=60) as session:
            await controller.publish("orion/v1/users/ada/response", b"2")
            async with asyncio.timeout(WITHIN):
                got = await heard_until(session, b"2")

    assert {message.topic for message in got} == {"orion/v1/users/ada/response"}

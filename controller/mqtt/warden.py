"""Shuts devices out that send too much, and lets them in again when their time is over.

It is stored first and done after: what a program that died left undone, the next one does.
The broker is told again until it acts on it; meanwhile, and where the broker is administered
by somebody else, the controller at least does not hear the device.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from broker.identities import NameTaken, UnknownIdentity
from broker.rights import DEVICES, Role
from controller.mqtt.floods import Floods
from controller.mqtt.meter import Amount
from controller.services import devices
from controller.services.actors import Actor
from controller.store.store import Store
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

AGAIN_AFTER = 1.0  # seconds; when something could not be done
LOOK_EVERY = 5.0  # seconds; at what the store says, while anybody is shut out


class Gate(Protocol):
    """Of a broker's `Administration` what this needs."""

    async def suspend(self, username: str, *, among: Collection[Role]) -> None:
        """Shut somebody out for a while: the session ends, name and password stay theirs."""

    async def resume(self, username: str, *, among: Collection[Role]) -> None:
        """Let somebody in again that was shut out; nothing happens if nobody was."""


class Warden:
    """Acts on what `floods` finds.

    Args:
        gate: who lets in and shuts out at the broker; None: nobody that we can ask.
        gone: says in a device's stead that its session has ended; False: it cannot be said yet.
        back: told of a device that may be connected still, to look at it again.
    """

    def __init__(
        self,
        store: Store,
        floods: Floods,
        gate: Gate | None,
        *,
        pause_s: float,
        gone: Callable[[str, str], bool],
        back: Callable[[str], Awaitable[None]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._floods = floods
        self._gate = gate
        self._pause_s = pause_s
        self._gone = gone
        self._back = back
        self._now = now
        self._noticed: dict[str, Amount] = {}  # not yet stored
        self._untold: set[str] = set()  # stored, and the broker does not act on it yet
        self._unsaid: set[str] = set()  # done, and those who look on do not know it yet
        self._until: dict[str, datetime] = {}
        self._strangers: dict[str, datetime] = {}  # without a place here: only not heard
        self._busy = asyncio.Lock()
        self._wake = asyncio.Event()
        floods.tell = self._notice

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._until

    async def load(self) -> None:
        """At start, before anything is heard: take up what an earlier life left."""
        self._until = await self._store.ask(devices.suspended)
        self._untold = set(self._until)
        for device_id in self._until:
            self._floods.shut_out(device_id)

    async def run(self) -> None:
        """Do what is due, for as long as the program lives."""
        while True:
            self._wake.clear()
            async with self._busy:
                wait = await self._work_off()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def let_in(self, device_id: str, actor: Actor) -> None:
        """Let a device in before its time.

        Raises:
            UnknownDevice: it has no place here.
            NotShutOut: it is not shut out.
        """
        async with self._busy:
            await self._store.read(partial(devices.check_shut_out, device_id=device_id))
            await self._let_in(device_id, actor)

    def _notice(self, device_id: str, amount: Amount) -> None:
        self._noticed[device_id] = amount
        self._wake.set()

    async def _work_off(self) -> float | None:
        """Do what is due; seconds until something may be again, None: only when something is noticed."""
        done = [await self._tried(self._store_it(each)) for each in list(self._noticed)]
        done += [await self._tried(self._shut_out(each)) for each in list(self._untold)]
        done += [await self._tried(self._say(each)) for each in list(self._unsaid)]
        if self._until:
            done.append(await self._tried(self._follow_store()))
        now = self._now()
        over = [each for each, until in self._until.items() if until <= now]
        done += [await self._tried(self._let_in(each, None)) for each in over]
        for device_id in [each for each, until in self._strangers.items() if until <= now]:
            del self._strangers[device_id]
            self._floods.let_in(device_id)
        if not all(done) or self._unsaid:
            return AGAIN_AFTER
        times = [*self._until.values(), *self._strangers.values()]
        return min(LOOK_EVERY, max(0.0, (min(times) - now).total_seconds())) if times else None

    async def _tried(self, work: Awaitable[None]) -> bool:
        """Whether it could be done; if not, whatever the reason, it is logged and tried again later.

        Nothing is let through: who is here keeps a device that floods from holding up the others, so it must
        not end with the first one that something is wrong with.
        """
        try:
            await work
        except Exception:  # a fault of ours too: the other devices are still to be dealt with
            logger.exception("A device that sends too much could not be shut out, or let in again")
            return False
        return True

    async def _store_it(self, device_id: str) -> None:
        work = partial(
            devices.suspend,
            device_id=device_id,
            pause_s=self._pause_s,
            figures=self._figures(self._noticed[device_id]),
            now=self._now(),
        )
        until = await self._store.write(work)
        self._noticed.pop(device_id, None)
        if until is None:
            self._strangers[device_id] = self._now() + timedelta(seconds=self._pause_s)
            return
        self._until[device_id] = until
        self._untold.add(device_id)

    async def _shut_out(self, device_id: str) -> None:
        if self._gate is None:
            logger.warning("The broker cannot be told to shut %s out; it is only not heard", device_id)
            self._untold.discard(device_id)
            return
        with suppress(UnknownIdentity, NameTaken):  # no device holds this name there
            await self._gate.suspend(device_id, among=DEVICES)
        self._untold.discard(device_id)
        self._unsaid.add(device_id)

    async def _say(self, device_id: str) -> None:
        boot_id = await self._store.write(partial(devices.put_out, device_id=device_id, now=self._now()))
        if boot_id is None or self._gone(device_id, boot_id):
            self._unsaid.discard(device_id)

    async def _follow_store(self) -> None:
        """What is stored counts: a device may have been removed, or let in by somebody else."""
        stored = await self._store.ask(devices.suspended)
        for device_id in self._until.keys() - stored.keys():
            self._floods.let_in(device_id)
            self._untold.discard(device_id)
            self._unsaid.discard(device_id)
        self._until = stored

    async def _let_in(self, device_id: str, actor: Actor | None) -> None:
        self._floods.let_in(device_id)  # first: what it says as soon as it can is to be heard
        if self._gate is not None:
            with suppress(UnknownIdentity, NameTaken):
                await self._gate.resume(device_id, among=DEVICES)
        await self._store.write(partial(devices.resume, device_id=device_id, actor=actor, now=self._now()))
        self._until.pop(device_id, None)
        self._untold.discard(device_id)
        self._unsaid.discard(device_id)
        await self._back(device_id)

    def _figures(self, amount: Amount) -> JsonObject:
        allowed = self._floods.allowance
        return {
            "messages": amount.messages,
            "bytes": amount.bytes,
            "seconds": round(amount.seconds, 1),
            "allowed_per_s": allowed.messages_per_s,
            "allowed_bytes_per_s": allowed.bytes_per_s,
            "session_ended": self._gate is not None,
        }

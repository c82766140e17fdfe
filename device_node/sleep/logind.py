"""What systemd's login manager says of the machine's sleep.

It waits before a suspend for those who hold a delay lock, a few seconds at most: the lock is
taken while the machine is awake, and let go of when what is to be done before has been done.
"""

import asyncio
import importlib
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

logger = logging.getLogger(__name__)

ANSWER_WITHIN = 5.0  # seconds
AGAIN_AFTER = 60.0  # seconds, when the bus went away
MAX_TOLD = 16  # signals that wait to be looked at

_SERVICE, _MANAGER = "org.freedesktop.login1", "org.freedesktop.login1.Manager"
_LOGIN = (_SERVICE, "/org/freedesktop/login1", _MANAGER)
_BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
_RULE = f"type='signal',sender='{_SERVICE}',interface='{_MANAGER}',member='PrepareForSleep'"


class Told(Protocol):
    """Who wants to know."""

    async def falls_asleep(self) -> None:
        """The machine sleeps as soon as this returns, or when the system's patience ends."""

    def wakes(self) -> None: ...


class Unavailable(Exception):
    """There is nobody to ask on this system."""


async def follow(told: Told) -> None:
    """Pass on what the login manager says, for as long as the program lives."""
    while True:
        try:
            await _follow(told)
        except Unavailable as reason:
            logger.debug("Suspends are not announced here: %s", reason)
            return
        except (OSError, EOFError, TimeoutError) as error:
            logger.debug("Lost the system's bus, and will ask again: %s", error)
        except Exception:  # whatever a bus may say, the node lives on
            logger.exception("Could not follow the machine's sleep, and will try again")
        await asyncio.sleep(AGAIN_AFTER)


async def _follow(told: Told) -> None:
    bus = await _connect()
    try:
        signals: asyncio.Queue[Message] = asyncio.Queue(MAX_TOLD)
        bus.add_message_handler(lambda message: _listen(message, signals))
        await _ask(bus, *_BUS, "AddMatch", _RULE)
        ended: Callable[[], Awaitable[None]] = bus.wait_for_disconnect
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(_serve(bus, signals, told), name="logind-signals")
            await ended()
            serving.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        bus.disconnect()


async def _serve(bus: "MessageBus", signals: "asyncio.Queue[Message]", told: Told) -> None:
    lock: int | None = await _lock(bus)
    try:
        while True:
            signal = await signals.get()
            # anybody on the bus may send us a signal; only the manager's own counts
            if signal.sender != (await _ask(bus, *_BUS, "GetNameOwner", _SERVICE)).body[0]:
                continue
            if signal.body[0] is True:
                await told.falls_asleep()
                if lock is not None:
                    os.close(lock)
                    lock = None
            else:
                told.wakes()
                lock = await _lock(bus) if lock is None else lock
    finally:
        if lock is not None:
            os.close(lock)


async def _connect() -> "MessageBus":
    try:
        # reading it from the disk takes a while; after that the imports below cost nothing
        await asyncio.to_thread(importlib.import_module, "dbus_fast.aio")
        from dbus_fast import BusType, InvalidAddressError
        from dbus_fast.aio import MessageBus
        from dbus_fast.errors import AuthError
    except ImportError:
        raise Unavailable("the extra `suspend` is not installed") from None
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True, auth_timeout=ANSWER_WITHIN)
        return await bus.connect()
    except (OSError, InvalidAddressError, AuthError) as error:
        raise Unavailable(f"no system bus ({error})") from error


async def _lock(bus: "MessageBus") -> int:
    """A delay lock: the machine does not fall asleep before it is closed, for a while."""
    why = "Say that this device goes to sleep"
    reply = await _ask(bus, *_LOGIN, "Inhibit", "sleep", "Orion", why, "delay")
    return int(reply.unix_fds[reply.body[0]])


async def _ask(
    bus: "MessageBus", destination: str, path: str, interface: str, member: str, *words: str
) -> "Message":
    from dbus_fast import Message, MessageType

    call = Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        signature="s" * len(words),
        body=list(words),
    )
    async with asyncio.timeout(ANSWER_WITHIN):
        reply = await bus.call(call)
    if reply is None or reply.message_type is MessageType.ERROR:
        raise Unavailable(f"{destination} does not answer {member}")
    return reply


def _listen(message: "Message", signals: "asyncio.Queue[Message]") -> None:
    if (message.member, message.interface) == ("PrepareForSleep", _MANAGER) and not signals.full():
        signals.put_nowait(message)

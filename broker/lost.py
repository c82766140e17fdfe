"""Sessions that Mosquitto 2.0.11 has lost from its books, found in its log.

Somebody who connects without a name under a client id that is in use is refused, and yet the
session of that id is forgotten: its owner's next connection is let in and hears nothing,
until Mosquitto has read its database again. (`handle__connect` leaves with the id still set
where `use_username_as_clientid` finds no name; what frees it then removes whoever has that id.)
That exit is the only one that logs a client as not authorised by its id: a wrong password
is logged of `<unknown>`.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable

from broker.identities import IdentityError

logger = logging.getLogger(__name__)

REFUSED = re.compile(r"(?:\d+: )?Client (?P<name>.+) disconnected, not authorised\.")


class LostSessions:
    """Whose session was lost since Mosquitto last began. `names` are those who can have one."""

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names
        self._refused: set[str] = set()
        self._any_refused = asyncio.Event()
        self._lost: set[str] = set()
        self._any_lost = asyncio.Event()

    def hear(self, line: str) -> None:
        """Look at a line of Mosquitto's log. Quick: Mosquitto waits until its log is read."""
        if (found := REFUSED.fullmatch(line)) is not None:
            self._refused.add(found["name"])
            self._any_refused.set()

    async def sort(self) -> None:
        """Tell those who were lost from client ids that nobody's session has, until cancelled."""
        while True:
            await self._any_refused.wait()
            self._any_refused.clear()
            refused, self._refused = self._refused, set()
            try:
                self._lost |= refused.intersection(await asyncio.to_thread(self._names))
            except (IdentityError, OSError) as error:  # whoever administers is told as well
                logger.warning("Nobody can tell whose sessions were lost: %s", error)
                continue
            if self._lost:
                self._any_lost.set()

    async def wait(self) -> list[str]:
        """The names, as soon as there is one."""
        await self._any_lost.wait()
        return sorted(self._lost)

    def forget(self) -> None:
        """Mosquitto begins anew, with every session that its database holds."""
        self._lost.clear()
        self._any_lost.clear()

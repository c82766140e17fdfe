"""The store of one controller, made and opened; a server that is not there yet is waited for."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from controller.store.store import HouseRules, Store, StoreAway
from controller.store.whereabouts import Whereabouts

logger = logging.getLogger(__name__)

AGAIN = 2.0  # seconds between two tries to reach the database


def made(url: str, rules: HouseRules, *, directory: Path, heads: Path) -> Store:
    """The store of this URL, not open yet. Blocks.

    `directory` is where a controller keeps what is beside its database, `heads` the signed ends of its audit.

    Raises:
        DatabaseGone: a file whose audit was signed is not there any more.
    """
    directory.mkdir(parents=True, exist_ok=True)
    Whereabouts(url).check_known(heads)
    return Store(url, rules)


async def opened(store: Store, stop: asyncio.Event) -> bool:
    """Open the store. A server that is not there yet is waited for; False: until somebody said stop."""
    last = ""
    while not stop.is_set():
        try:
            await asyncio.to_thread(store.open)
        except StoreAway as error:
            if str(error) != last:
                last = str(error)
                logger.warning("%s It is waited for.", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN)
        else:
            return True
    return False

"""Where an examination connects and as whom, and what it signs with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from broker.addresses import reachable
from broker.identities import await_active
from broker.session import ConnectFailed, Endpoint
from controller.store.keyring import KeyRing, KeysUnusable
from orion.config import programs
from orion.config.addresses import keys_path, mqtt_address
from orion.config.settings import Settings
from orion.conform.line import INSTANCE, LineLost
from schemas.signing import Signer

ELSEWHERE = "`orion conform` makes itself a name at the broker of this installation, and this one's broker is run elsewhere."


class NoPlace(Exception):
    """There is no way to speak as a controller here; the message says why."""


@asynccontextmanager
async def endpoint(settings: Settings) -> AsyncIterator[Endpoint]:
    """A controller's identity of its own, gone after the block.

    Raises:
        NoPlace: the broker is run elsewhere, or never ran.
        LineLost: the broker did not let the new identity in.
    """
    identities = programs.identities(settings)
    if identities is None:
        raise NoPlace(ELSEWHERE)
    if not programs.for_broker(settings).config_path.exists():
        raise NoPlace(
            f"No broker has run with the data folder {settings.data_dir} yet. Start one with: orion up"
        )
    making = asyncio.create_task(asyncio.to_thread(identities.ensure, INSTANCE), name="conform-identity")
    try:
        kept = await asyncio.shield(making)  # what is made meanwhile must not outlive a Ctrl-C
        host, port = mqtt_address(settings)
        made = Endpoint(reachable(host), port, kept.username, kept.password)
        try:
            await await_active(made)
        except ConnectFailed as error:
            raise LineLost(f"The broker at {made.host}:{made.port} did not let us in: {error}") from error
        yield made
    finally:
        await asyncio.to_thread(identities.remove, (await making).username)


def signer_of(settings: Settings) -> Signer | None:
    """What the controller of this installation signs with; None when none has run here.

    Raises:
        NoPlace: its keys cannot be used.
    """
    path = keys_path(settings)
    if not path.exists():
        return None  # opening them would make the first one
    ring = KeyRing(path, lambda: datetime.now(UTC))
    try:
        ring.open()
    except KeysUnusable as error:
        raise NoPlace(str(error)) from error
    return ring.signer

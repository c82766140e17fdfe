"""Who the controller is at the broker: its name and password there, and its right to give others theirs."""

import asyncio
import contextlib
import logging

from broker.administration import Administration
from broker.dynsec import Remote
from broker.identities import Identities, IdentityError, Local, UnknownIdentity
from controller.mqtt.link import Link, Password
from controller.settings import ControllerSettings
from schemas.topics import Topics

logger = logging.getLogger(__name__)

NAMED_WITHIN = 3.0  # seconds until the line is tried without knowing whether our name is there
TRY_AGAIN_AFTER = 15.0  # seconds, when a broker that is run elsewhere cannot be administered


def administration_of(settings: ControllerSettings) -> Administration | None:
    """How identities are made and ended; None: by hand, by whoever runs the broker."""
    if settings.administrator is not None:
        return Remote(settings.administrator, Topics(settings.prefix))
    if settings.identities_dir is None:
        return None
    return Local(Identities(settings.identities_dir, prefix=settings.prefix), settings.endpoint)


def own_password(settings: ControllerSettings) -> Password | None:
    """Our password at our own broker, which may be replaced at any time; None: it is the one we were told."""
    if settings.identities_dir is None:
        return None
    identities = Identities(settings.identities_dir, prefix=settings.prefix)

    async def password() -> str | None:
        try:
            return (await asyncio.to_thread(identities.kept, f"controller-{settings.instance}")).password
        except UnknownIdentity:
            return None

    return password


async def make_name(
    administration: Administration | None, settings: ControllerSettings, named: asyncio.Event
) -> None:
    """Make our own name on a broker that we administer from afar, as soon as that is possible.

    `named` is set once it is there, or could not be made at the first attempt.
    """
    own = settings.endpoint
    if not isinstance(administration, Remote) or own.username != f"controller-{settings.instance}":
        named.set()  # the name that we were told was made by hand
        return
    while True:
        try:
            await administration.ensure_controller(settings.instance, own.password or "")
        except IdentityError as error:
            logger.warning("The controller's name at the broker is not certain: %s", error)
            named.set()
            await asyncio.sleep(TRY_AGAIN_AFTER)
        else:
            named.set()
            return


async def connect(link: Link, named: asyncio.Event, stop: asyncio.Event) -> None:
    """Keep the line, but do not ask to be let in while our name is being made: a refusal is waited out long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(NAMED_WITHIN):
            await named.wait()
    await link.run(stop)

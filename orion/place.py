"""This computer's own place at the controller: made and accepted by whoever starts both.

Same machine, same owner: nobody is asked to adopt it. Its password is kept in a file that
only its owner can read.
"""

import logging
import time

from broker.identities import IdentityError
from broker.rights import Role
from orion.client import Client, Json, Refused
from orion.config import programs
from orion.config.addresses import is_anonymous
from orion.config.settings import Settings
from orion.config.sources import variable
from orion.verbs import Failure

logger = logging.getLogger(__name__)

ALIASES = ["this computer", "deze computer"]
LOOK_EVERY = 0.05  # seconds
ONLINE_WITHIN = 20.0  # seconds from the start of a node


def ensure(client: Client, settings: Settings) -> None:
    """Give this computer a place and a password, unless it has them.

    Raises:
        Failure: the broker is administered elsewhere, and the password is not set.
        ClientError: the controller refuses.
    """
    device = find(client, settings)
    if device is None:
        _add(client, settings)
    elif programs.kept_password(settings) is None and not is_anonymous(settings):
        _renew(settings)


def find(client: Client, settings: Settings) -> Json | None:
    """This computer as the controller knows it."""
    try:
        return client.get(f"/devices/{settings.device_id}")
    except Refused as error:
        if error.code == "unknown_device":
            return None
        raise


def await_online(client: Client, settings: Settings) -> Json:
    """Return once this computer is online and its tools are accepted.

    Raises:
        Failure: not in time.
    """
    deadline = time.monotonic() + ONLINE_WITHIN
    while time.monotonic() < deadline:
        device = find(client, settings)
        if device is not None and device["status"] == "online":
            if all(tool["adopted"] for tool in device["tools"]):
                return device
            # a newer version of our own program offers other tools
            return client.post(f"/devices/{settings.device_id}/adopt")
        time.sleep(LOOK_EVERY)
    raise Failure(f"The node did not come online within {ONLINE_WITHIN:.0f} s; its log lines say why.")


def _add(client: Client, settings: Settings) -> None:
    administered = programs.identities(settings)
    # a name without a place is left over from a database that is gone
    if administered is not None and administered.all().get(settings.device_id) is Role.DEVICE:
        administered.remove(settings.device_id)
    wanted = {
        "device_id": settings.device_id,
        "name": settings.node_name,
        "aliases": ALIASES,
        "adopt": True,
    }
    made = client.post("/devices", wanted)
    password = made["mqtt"].get("password")
    if password is not None:
        programs.keep_password(settings, password)
    elif programs.kept_password(settings) is None and not is_anonymous(settings):
        raise Failure(
            f"The broker is run elsewhere: make a user {settings.device_id!r} there and set its password "
            f"in {variable('node_password')}, or leave the node out with --no-node.",
            code="configuration",
        )
    logger.info("Made a place for %s", settings.device_id)


def _renew(settings: Settings) -> None:
    administered = programs.identities(settings)
    if administered is None:
        raise Failure(f"Set the device's password in {variable('node_password')}.", code="configuration")
    try:
        programs.keep_password(settings, administered.rotate(settings.device_id))
    except IdentityError as error:
        raise Failure(f"This computer's password is lost and cannot be renewed: {error}") from error

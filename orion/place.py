"""This computer's own place at the controller: made and accepted by whoever starts both.

Same machine, same owner: nobody is asked to adopt it, and it needs no code. Its key and its
password are kept for its owner only.
"""

import json
import logging
import time
from datetime import UTC, datetime

from broker.rights import Role
from device_node import vault
from device_node.vault import Identity
from orion.client import Client, Json, Refused
from orion.config import identity, programs
from orion.config.addresses import is_anonymous, mqtt_address
from orion.config.settings import Settings
from orion.config.sources import variable
from orion.verbs import Failure
from schemas.keys import Key
from schemas.signing import Signer

logger = logging.getLogger(__name__)

ALIASES = ["this computer", "deze computer"]
LOOK_EVERY = 0.05  # seconds
ONLINE_WITHIN = 20.0  # seconds from the start of a node


def ensure(client: Client, settings: Settings) -> None:
    """Give this computer a place, a key and a password, unless it has them.

    Raises:
        Failure: the broker is administered elsewhere, and the password is not set.
        ClientError: the controller refuses.
    """
    device = find(client, settings)
    if device is None:
        _add(client, settings)
    elif not device["signed"] or not _obeys(
        client, identity.load(identity.folder(settings, settings.device_id))
    ):
        signer = Signer.generate()
        path = f"/devices/{settings.device_id}/enrol"
        _keep(settings, signer, client.post(path, {"public_key": signer.public}))


def _obeys(client: Client, known: Identity | None) -> bool:
    """Whether what this computer is known by lets it obey the controller, which may have begun with new keys."""
    if known is None:
        return False
    signing = {key["key_id"] for key in client.get("/signing-keys")["items"]}
    return any(key.key_id in signing for key in known.controller_keys)


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
            return client.post(f"/devices/{settings.device_id}/adopt", match="*")
        time.sleep(LOOK_EVERY)
    raise Failure(f"The node did not come online within {ONLINE_WITHIN:.0f} s; its log lines say why.")


def _add(client: Client, settings: Settings) -> None:
    administered = programs.identities(settings)
    # a name without a place is left over from a database that is gone
    if administered is not None and administered.all().get(settings.device_id) is Role.DEVICE:
        administered.remove(settings.device_id)
    signer = Signer.generate()
    wanted = {
        "device_id": settings.device_id,
        "name": settings.node_name,
        "aliases": ALIASES,
        "adopt": True,
        "public_key": signer.public,
    }
    made = client.post("/devices", wanted)
    _keep(settings, signer, {"password": made["mqtt"].get("password"), "keys": made["keys"]})
    logger.info("Made a place for %s", settings.device_id)


def _keep(settings: Settings, signer: Signer, given: Json) -> None:
    """Keep what this computer is known by, for its owner's eyes only."""
    password = given["password"]
    if password is None and settings.node_password is None and not is_anonymous(settings):
        raise Failure(
            f"The broker is run elsewhere: make a user {settings.device_id!r} there and set its password "
            f"in {variable('node_password')}, or leave the node out with --no-node.",
            code="configuration",
        )
    host, port = mqtt_address(settings)
    known = Identity(
        device_id=settings.device_id,
        host=host,
        port=port,
        ca=None,
        controller_keys=tuple(Key.model_validate_json(json.dumps(key)) for key in given["keys"]),
        joined_at=datetime.now(UTC),
        password=password or "",
        signing_secret=signer.secret,
    )
    vault.keep(identity.folder(settings, settings.device_id), known, keyring=True)
    programs.legacy_password(settings).unlink(missing_ok=True)

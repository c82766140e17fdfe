"""Who this computer is: what it got when it joined, or when it was given its place.

Imported only by what starts a node or gives it its place: it loads the node's package.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from broker.addresses import reachable
from broker.session import Endpoint, tls
from device_node import vault
from device_node.vault import Identity, VaultError
from orion.config.addresses import mqtt_address
from orion.config.settings import Settings
from orion.config.sources import ConfigError, Loaded, Origin, variable
from schemas.keys import Key

logger = logging.getLogger(__name__)


def folder(settings: Settings, device_id: str) -> Path:
    """What a device keeps of itself."""
    return settings.data_dir / "node" / device_id


def kept(loaded: Loaded) -> Identity | None:
    """The identity of this computer: of the device that is named, or of the only one that joined.

    Raises:
        ConfigError: it cannot be used, or there are several and none is named.
    """
    settings = loaded.settings
    named = folder(settings, settings.device_id)
    if loaded.origins["device_id"] is Origin.DEFAULT and not (named / vault.FILE).exists():
        joined = sorted(path.parent for path in (settings.data_dir / "node").glob(f"*/{vault.FILE}"))
        if len(joined) > 1:
            names = ", ".join(path.name for path in joined)
            raise ConfigError(
                f"Several devices joined from here ({names}): say which, {variable('device_id')}."
            )
        named = joined[0] if joined else named
    return load(named)


def load(path: Path) -> Identity | None:
    """What is kept in this folder.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        return vault.load(path)
    except VaultError as error:
        raise ConfigError(str(error)) from error


def endpoint(identity: Identity, settings: Settings) -> Endpoint:
    """Where this device finds its broker, and as whom.

    Raises:
        ConfigError: the authority that it was given cannot be used.
    """
    if identity.ca is None:  # given its place here: the broker is where this installation has it
        host, port = mqtt_address(settings)
        return Endpoint(reachable(host), port, identity.device_id, identity.password or None)
    try:
        context = tls.context(identity.ca or None)
    except tls.Unusable as error:
        raise ConfigError(f"The authority of {identity.host} cannot be used: {error}. Join anew.") from error
    return Endpoint(identity.host, identity.port, identity.device_id, identity.password, context)


def believe(path: Path, keys: Sequence[Key]) -> None:
    """Keep what the controller will sign with. Blocks; what cannot be kept is told again at the next connect."""
    try:
        vault.update_keys(path, keys)
    except (VaultError, OSError) as error:
        logger.warning("The controller's next keys cannot be kept, and hold until the next start: %s", error)

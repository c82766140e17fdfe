"""Where programs find each other, worked out from the settings without loading any program."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

from broker.addresses import is_everywhere, reachable
from orion.config.settings import Settings

PLAIN_PORT = 1883
TLS_PORT = 8883


def mqtt_address(settings: Settings) -> tuple[str, int]:
    """Host and port of the broker, ours or the one that is run elsewhere."""
    if settings.mqtt_url is None:
        return settings.mqtt_host, settings.mqtt_port
    parts = urlsplit(settings.mqtt_url)
    return parts.hostname or "", parts.port or (TLS_PORT if parts.scheme == "mqtts" else PLAIN_PORT)


def invited_to(settings: Settings) -> str:
    """The host that another computer is told to join at."""
    if settings.mqtt_url is not None:
        return urlsplit(settings.mqtt_url).hostname or ""
    host = settings.mqtt_tls_host
    return socket.gethostname() if is_everywhere(host) else host


def public_url(settings: Settings) -> str:
    """Where people's browsers find the HTTP API; unless told, on this computer."""
    if settings.public_url is not None:
        return settings.public_url
    host = reachable(settings.http_host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


def token_path(settings: Settings) -> Path:
    """The administrator's token, as the controller keeps it."""
    return settings.data_dir / "controller" / "token"


def keys_path(settings: Settings) -> Path:
    """What the controller signs with, as it keeps it."""
    return settings.data_dir / "controller" / "keys.json"


def heads_path(settings: Settings) -> Path:
    """The signed heads of the audit, as it keeps them."""
    return settings.data_dir / "controller" / "heads.jsonl"


def is_anonymous(settings: Settings) -> bool:
    """Whether a broker that is run elsewhere lets everybody in without a name."""
    return settings.mqtt_url is not None and not urlsplit(settings.mqtt_url).username

"""What must hold before Mosquitto is started: its addresses are free, its limits are set."""

import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable

from broker import addresses, process
from broker.binary import BrokerUnavailable
from broker.settings import BrokerSettings

if sys.platform != "win32":
    import resource

logger = logging.getLogger(__name__)

OWN_FILES = 64  # that Mosquitto needs beside its clients' connections
_PR_SET_PDEATHSIG = 1
_PASSED_ON = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
    }
)


def check_addresses(settings: BrokerSettings) -> None:
    """Raise `BrokerUnavailable` when two listeners were given one port; warn of one that others can listen in on."""
    taken: dict[int, str] = {}
    for name, (_, port) in settings.addresses.items():
        if port in taken:
            raise BrokerUnavailable(
                f"{_variable(taken[port])} and {_variable(name)} are both {port}: each listener needs a port of its own"
            )
        taken[port] = name
    if not addresses.is_loopback(settings.host):
        logger.warning(
            "Passwords and messages can be read on the network: %s:%d is not encrypted. Leave ORION_MQTT_HOST "
            "unset; other computers come in by TLS, with ORION_MQTT_TLS_HOST",
            settings.host,
            settings.port,
        )


def check_ports(settings: BrokerSettings) -> None:
    """Raise `BrokerUnavailable`, with the remedy, when one of the ports cannot be used."""
    for name, (host, port) in settings.addresses.items():
        _check_port(host, port, _variable(name))


def environment() -> dict[str, str]:
    """What of our environment Mosquitto needs: our own secrets may stand there."""
    return {name: value for name, value in os.environ.items() if name.upper() in _PASSED_ON}


def before(settings: BrokerSettings) -> Callable[[], None] | None:
    """What the child runs before it becomes Mosquitto.

    On Linux it then dies with us. And it may hold as many connections as its listeners take
    together, and no more. Mosquitto 2.0.11 counts some disconnects twice and forgets its own
    limits at a reload; this one holds, and the broker stays well when it is reached.
    """
    if sys.platform == "win32":
        return None
    limits = _limits(settings)
    # looked up before the fork, where that is safe
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    set_limit = resource.setrlimit

    def ask() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if limits is not None:
            set_limit(resource.RLIMIT_NOFILE, limits)

    return ask


def _limits(settings: BrokerSettings) -> tuple[int, int] | None:
    """How many files Mosquitto may have open, and could at most; None leaves it as it is."""
    if settings.max_connections <= 0:
        return None
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = len(settings.addresses) * settings.max_connections + OWN_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if most - OWN_FILES < settings.max_connections:
        logger.info("The system lets the broker hold %d connections at once", most - OWN_FILES)
    return most, hard


def _check_port(host: str, port: int, variable: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        if sys.platform != "win32":  # there it would let two programs share the port
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            who = process.listener(port)
            raise BrokerUnavailable(
                f"port {port} on {host} cannot be used ({error.strerror}{f', by {who}' if who else ''}). "
                f"Choose another one ({variable}), or stop what uses it; Debian's package starts a "
                "broker of its own: sudo systemctl disable --now mosquitto"
            ) from error


def _variable(setting: str) -> str:
    return f"ORION_{setting.upper()}"

"""mosquitto.conf completed: the hardened base with the paths and limits of one installation.

The base is never repeated here: what is not about one installation stands in
`mosquitto.conf`, with its reason.
"""

import getpass
import ipaddress
import os
import stat
from pathlib import Path

from broker import files
from broker.settings import BrokerSettings

_PACKAGE = Path(__file__).resolve().parent
_BASES = (_PACKAGE / "mosquitto.conf", _PACKAGE.parent / "mosquitto.conf")  # in a wheel, in a clone

PASSWORDS = "passwords"
RIGHTS = "rights.acl"
KEEPER = "keeper.sock"
LONGEST_SOCKET = 100  # bytes of a socket's path that every system takes

# What the rest of the system relies on; `check` says what happens without.
_NEEDED = {
    ("allow_anonymous", "false"): "anyone may connect",
    ("use_username_as_clientid", "true"): "a client can take over another one's session",
    ("set_tcp_nodelay", "true"): "every answer takes 44 ms longer",
    ("persistence", "true"): "a restart forgets sessions and retained messages",
}
_LEAST = {
    "max_queued_messages": (10_000, "messages are dropped silently when a subscriber is slow"),
    "max_inflight_messages": (100, "few messages travel at once"),
    "max_packet_size": (256 * 1024 + 4096, "the largest messages of the wire contract do not fit"),
}


class ConfigError(Exception):
    """The configuration cannot be completed."""


def base() -> str:
    """The hardened base: package data of an installed wheel, or the file at the top of a clone."""
    for path in _BASES:
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError("mosquitto.conf is missing from this installation")


def render(settings: BrokerSettings) -> str:
    """The whole configuration of one installation.

    Raises:
        ConfigError: a value cannot be written into a configuration file.
    """
    directory = settings.directory.resolve()
    lines = [
        *_keeper(directory),
        f"listener {settings.port} {settings.host}",
        "use_username_as_clientid true",
        f"max_connections {settings.max_connections}",
        f"password_file {directory / PASSWORDS}",
        f"acl_file {directory / RIGHTS}",
        f"persistence_location {directory}{os.sep}",
        f"memory_limit {settings.memory_limit}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Started as root, Mosquitto becomes the user `mosquitto` and can no longer read files
        # that only their owner may read. An installation run as root keeps root, which is less
        # hardened: run it as an ordinary user, as the service files do.
        lines.append(f"user {getpass.getuser()}")
    for line in lines:
        if not line.isprintable():
            raise ConfigError(f"a line break or control character in {line!r}")
    return base().rstrip() + "\n\n# --- This installation ---\n\n" + "\n".join(lines) + "\n"


def _keeper(directory: Path) -> list[str]:
    """A way in for the owner of the folder alone, on which a client id is not bound to the name.

    Whoever replaces a password holds the session of its owner meanwhile (`identities.keeping`).
    """
    path = directory / KEEPER
    if os.name != "posix" or len(os.fsencode(path)) > LONGEST_SOCKET:
        return []
    return [f"listener 0 {path}"]


def write(settings: BrokerSettings) -> Path:
    """Render to the data folder and say where."""
    files.make_private_directory(settings.directory)
    files.replace(settings.config_path, render(settings))
    return settings.config_path.resolve()


def check(path: Path) -> list[str]:
    """What is wrong with a completed configuration, one sentence each; empty when all is well."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return [f"{path} cannot be read: {error.strerror}"]
    values = parse(text)
    problems = [
        f"{name} is not {value}: {consequence}"
        for (name, value), consequence in _NEEDED.items()
        if values.get(name) != value
    ]
    for name, (least, consequence) in _LEAST.items():
        given = values.get(name, "0")
        # 0 means no limit for all of these
        if name not in values or not given.isdecimal() or 0 < int(given) < least:
            problems.append(f"{name} is below {least}: {consequence}")
    problems += _check_listener(values)
    for name in ("password_file", "acl_file"):
        problems += _check_private(name, values.get(name))
    return problems


def parse(text: str) -> dict[str, str]:
    """The last value of each setting; repeated ones (`log_type`) are not of interest here."""
    values: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw.strip()
        if line and not line.startswith("#"):
            name, _, value = line.partition(" ")
            values[name] = value.strip()
    return values


def _check_listener(values: dict[str, str]) -> list[str]:
    port, _, host = values.get("listener", "").partition(" ")
    if port in ("", "0"):  # 0 is the file that only its owner reaches
        return ["there is no listener: nobody can connect"]
    if "certfile" in values or _is_loopback(host):
        return []
    return [
        f"the listener on {host or 'every address'} is not encrypted: passwords can be read on the network"
    ]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_private(name: str, value: str | None) -> list[str]:
    if value is None:
        return [f"{name} is not set: nobody has a name or rights of their own"]
    try:
        mode = Path(value).stat().st_mode
    except OSError as error:
        return [f"{name} {value} cannot be read: {error.strerror}"]
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        return [f"{name} {value} can be read by others: chmod 600 {value}"]
    return []

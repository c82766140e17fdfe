"""mosquitto.conf completed: the hardened base with the paths and limits of one installation.

The base is never repeated here: what is not about one installation stands in
`mosquitto.conf`, with its reason. The listeners come last, because what follows a `listener`
line is about that one alone.
"""

import getpass
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from broker import addresses, files
from broker.settings import BrokerSettings

_PACKAGE = Path(__file__).resolve().parent
_BASES = (_PACKAGE / "mosquitto.conf", _PACKAGE.parent / "mosquitto.conf")  # in a wheel, in a clone

PASSWORDS = "passwords"
RIGHTS = "rights.acl"
KEEPER = "keeper.sock"
LONGEST_SOCKET = 100  # bytes of a socket's path that every system takes
CERTIFICATES = "certificates"
SERVER = f"{CERTIFICATES}/server.pem"  # key and certificates in one file
AUTHORITY = f"{CERTIFICATES}/authority.crt"
REVOKED = f"{CERTIFICATES}/revoked.pem"
BOOK = f"{CERTIFICATES}/clients.json"  # who was given a certificate; not for Mosquitto
READ_AGAIN = (PASSWORDS, RIGHTS, SERVER, AUTHORITY, REVOKED)  # by Mosquitto, at a SIGHUP

# What the rest of the system relies on; `check` says what happens without.
_NEEDED = {
    ("allow_anonymous", "false"): "anyone may connect",
    ("set_tcp_nodelay", "true"): "every answer takes 44 ms longer",
    ("persistence", "true"): "a restart forgets sessions and retained messages",
}
_LEAST = {
    "max_queued_messages": (10_000, "messages are dropped silently when a subscriber is slow"),
    "max_inflight_messages": (100, "few messages travel at once"),
    "max_packet_size": (256 * 1024 + 4096, "the largest messages of the wire contract do not fit"),
}
_TLS_VERSIONS = ("tlsv1.2", "tlsv1.3")  # the lowest that is taken


class ConfigError(Exception):
    """The configuration cannot be completed."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One address where Mosquitto listens, and what is set for it alone."""

    host: str  # empty is every address
    port: int
    values: dict[str, str] = field(default_factory=dict)

    @property
    def encrypted(self) -> bool:
        return "certfile" in self.values

    @property
    def by_certificate(self) -> bool:
        """Whether clients are let in by their certificate, without a password."""
        return self.values.get("use_identity_as_username") == "true"

    def __str__(self) -> str:
        kind = "with a certificate" if self.by_certificate else "TLS" if self.encrypted else "not encrypted"
        host = f"[{self.host}]" if ":" in self.host else self.host or "every address"
        return f"{host}:{self.port} ({kind})"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A configuration as Mosquitto would understand it; repeated settings keep their last value."""

    values: dict[str, str]
    listeners: tuple[Listener, ...]
    keeper: bool  # whether there is a way in for the owner of the folder


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
    lines += [*_keeper(directory), *_listener(settings, settings.host, settings.port)]
    encrypted = [
        f"certfile {directory / SERVER}",
        f"keyfile {directory / SERVER}",
        f"tls_version {_TLS_VERSIONS[0]}",
    ]
    if settings.tls_port is not None:
        lines += [*_listener(settings, settings.tls_host, settings.tls_port), *encrypted]
    if settings.cert_port is not None:
        lines += [
            *_listener(settings, settings.tls_host, settings.cert_port),
            *encrypted,
            f"cafile {directory / AUTHORITY}",
            f"crlfile {directory / REVOKED}",
            "require_certificate true",
            "use_identity_as_username true",
        ]
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
        parsed = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        return [f"{path} cannot be read: {error.strerror}"]
    except ConfigError as error:
        return [str(error)]
    values = parsed.values
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
    if not parsed.listeners:
        problems.append("there is no listener: nobody can connect")
    elif not parsed.keeper and os.name == "posix":
        problems.append(
            f"there is no {KEEPER}, as the data folder's path is too long for one: replacing a password can lose "
            "what waits for its owner"
        )
    for listener in parsed.listeners:
        problems += (f"the listener on {listener}: {problem}" for problem in _check_listener(listener))
    for name in ("password_file", "acl_file"):
        problems += _check_private(name, values.get(name))
    return problems


def parse(text: str) -> Parsed:
    """The settings of a configuration, and its listeners with theirs.

    Raises:
        ConfigError: a listener without a port.
    """
    values: dict[str, str] = {}
    listeners: list[Listener] = []
    keeper = False
    current = values
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, _, rest = line.partition(" ")
        value = rest.strip()
        if name != "listener":
            current[name] = value
            continue
        port, _, host = value.partition(" ")
        if not port.isdecimal():
            raise ConfigError(f"a listener has no port: {line!r}")
        current = {}
        if port == "0":  # a file, not an address
            keeper = True
        else:
            listeners.append(Listener(host.strip(), int(port), current))
    return Parsed(values, tuple(listeners), keeper)


def _listener(settings: BrokerSettings, host: str, port: int) -> list[str]:
    return [
        f"listener {port} {host}",
        "use_username_as_clientid true",
        f"max_connections {settings.max_connections}",
    ]


def _check_listener(listener: Listener) -> Iterator[str]:
    values = listener.values
    if values.get("use_username_as_clientid") != "true":
        yield "use_username_as_clientid is not true: a client can take over another one's session"
    if not listener.encrypted:
        if not addresses.is_loopback(listener.host):
            yield "passwords can be read on the network"
        return
    if values.get("tls_version") not in _TLS_VERSIONS:
        yield f"tls_version is not {_TLS_VERSIONS[0]}: old and broken versions of TLS are taken"
    yield from _check_private("keyfile", values.get("keyfile"), without="it cannot be encrypted")
    if listener.by_certificate and values.get("require_certificate") != "true":
        yield "require_certificate is not true: who has no certificate gets in"
    if listener.by_certificate and "crlfile" not in values:
        yield "crlfile is not set: a revoked certificate still gets in"


def _check_private(
    name: str, value: str | None, *, without: str = "nobody has a name or rights of their own"
) -> list[str]:
    if value is None:
        return [f"{name} is not set: {without}"]
    try:
        mode = Path(value).stat().st_mode
    except OSError as error:
        return [f"{name} {value} cannot be read: {error.strerror}"]
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        return [f"{name} {value} can be read by others: chmod 600 {value}"]
    return []

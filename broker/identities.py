"""Who may connect and what they may do: Mosquitto's password file and ACL from one list.

Devices, controllers and all others share one name space, and a name is given once. The
list (`identities.json`) is the truth; the broker's two files are written from it, and a
running broker reads them again without disconnecting anyone who stays.

All functions block on files: call them in a worker thread.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from broker import config, files, process, rights
from broker.rights import Role
from broker.session import ConnectFailed, Endpoint, Session
from schemas.ids import DeviceId, Instance, Username
from schemas.topics import DEFAULT_PREFIX, Topics

logger = logging.getLogger(__name__)

# Every password is a random token of 256 bits: more rounds would slow each connect down,
# in a broker of one thread, and protect nothing.
ROUNDS = 101
ACTIVE_EVERY = 0.05  # seconds between two attempts to connect as somebody new
PROBES = ("probe.supervisor", "probe.health")
RESERVED = re.compile(r"(controller|join)-")

_DEVICE_ID = TypeAdapter[str](DeviceId)
_USERNAME = TypeAdapter[str](Username)
_INSTANCE = TypeAdapter[str](Instance)


_KINDS = {
    Role.CONTROLLER: "controller",
    Role.DEVICE: "device",
    Role.DEBUG: "debugging user",
    Role.PROBE: "part of Orion itself",
    Role.VIEWER: "user",
    Role.OPERATOR: "user",
    Role.ADMIN: "user",
    Role.HOME_ASSISTANT: "user",
}


class IdentityError(Exception):
    """An identity cannot be made or found; the message is a sentence for a person."""


class NameTaken(IdentityError):
    """Devices, users and controllers share one name space."""

    def __init__(self, username: str, role: Role) -> None:
        sentence = f"The name {username!r} belongs to a {_KINDS[role]} already."
        if role is Role.DEBUG:
            sentence += f" Its password is not said again; for a new one, remove it first: orion debug-user remove {username}"
        super().__init__(sentence)
        self.username = username
        self.role = role


class BadName(IdentityError):
    """The name cannot be used for this role."""


class UnknownIdentity(IdentityError):
    """Nobody has this name."""

    def __init__(self, username: str) -> None:
        super().__init__(f"The broker knows nobody named {username!r}.")
        self.username = username


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and its password. The password stays out of every `repr`."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Entry:
    role: Role
    password_hash: str = field(repr=False)


class Identities:
    """The identities of one supervised broker, in its folder."""

    def __init__(self, directory: Path, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._directory = directory
        self._topics = Topics(prefix)
        self._list_path = directory / "identities.json"

    def ensure_probes(self) -> None:
        """Make what the broker needs for itself, and write its files."""
        files.make_private_directory(self._directory)
        with self._changing() as entries:
            for name in PROBES:
                self._keep(entries, name, Role.PROBE)

    def ensure(self, instance: str = "main") -> Credentials:
        """Make the controller's identity at a first start; say it every time.

        The controller's password is kept in a file that only its owner may read. One
        that was lost is replaced.
        """
        username = f"controller-{_checked(_INSTANCE, instance, 'a controller instance')}"
        files.make_private_directory(self._directory)
        with self._changing() as entries:
            self._keep(entries, username, Role.CONTROLLER)
        return self.kept(username)

    def kept(self, username: str) -> Credentials:
        """The credentials of a controller or probe of this machine, from its password file."""
        try:
            password = self._password_path(username).read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise UnknownIdentity(username) from error
        return Credentials(username, password)

    def add_device(self, device_id: str) -> str:
        """Give a device its name and say its password; it is not kept anywhere.

        Raises:
            NameTaken: somebody has that name.
            BadName: not a device id, or one that controllers and invitations use.
        """
        _checked(_DEVICE_ID, device_id, "a device id")
        if RESERVED.match(device_id):
            raise BadName(f"Device ids cannot begin with {device_id.partition('-')[0]}-.")
        return self._add(device_id, Role.DEVICE)

    def add_debug_user(self, name: str) -> str:
        """Add somebody who may read everything and publish nothing; say the password.

        The patterns that give devices their rights hold for every name, so a name that
        could be a device's is refused: its owner could speak as that device.

        Raises:
            NameTaken: somebody has that name.
            BadName: not a user name, or one that could be a device's.
        """
        _checked(_USERNAME, name, "a user name")
        if re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise BadName(f"{name!r} could be a device; a debugging user needs a dot, as in 'debug.{name}'.")
        return self._add(name, Role.DEBUG)

    def add_user(self, name: str, role: Role) -> str:
        """Give a person or program its name and the rights of a role; say the password.

        Raises:
            NameTaken: somebody has that name.
            BadName: not a user name, or one that controllers and invitations use.
        """
        _checked(_USERNAME, name, "a user name")
        if RESERVED.match(name):
            raise BadName(f"Names of users cannot begin with {name.partition('-')[0]}-.")
        return self._add(name, role)

    def remove_debug_user(self, name: str) -> None:
        """Take a debugging user away, and nobody else by that name.

        Raises:
            UnknownIdentity: no debugging user has this name.
        """
        if self._read().get(name, _Entry(Role.DEVICE, "")).role is not Role.DEBUG:
            raise UnknownIdentity(name)
        self.remove(name)

    def rotate(self, username: str) -> str:
        """Replace a password and say the new one; who is connected is asked for it next time."""
        password = secrets.token_urlsafe(32)
        with self._changing() as entries:
            entry = entries.get(username)
            if entry is None:
                raise UnknownIdentity(username)
            entries[username] = _Entry(entry.role, hash_password(password))
            if entry.role in (Role.CONTROLLER, Role.PROBE):
                files.replace(self._password_path(username), password + "\n")
        return password

    def remove(self, username: str) -> None:
        """Take a name away; a running broker ends its connection."""
        with self._changing() as entries:
            if entries.pop(username, None) is None:
                raise UnknownIdentity(username)
        self._password_path(username).unlink(missing_ok=True)

    def all(self) -> dict[str, Role]:
        """Everybody who may connect, by name."""
        return {username: entry.role for username, entry in sorted(self._read().items())}

    def reload(self) -> bool:
        """Have a running broker of this folder read its files again; False when none runs here."""
        broker = process.running(self._directory)
        if broker is None or sys.platform == "win32":
            return False
        broker.send_signal(signal.SIGHUP)
        return True

    def _add(self, username: str, role: Role) -> str:
        password = secrets.token_urlsafe(32)
        with self._changing() as entries:
            if (taken := entries.get(username)) is not None:
                raise NameTaken(username, taken.role)
            entries[username] = _Entry(role, hash_password(password))
        logger.info("Added %s %s to the broker", role, username)
        return password

    def _keep(self, entries: dict[str, _Entry], username: str, role: Role) -> None:
        taken = entries.get(username)
        if taken is not None and taken.role is not role:
            raise NameTaken(username, taken.role)
        if taken is not None and self._fits(username, taken):
            return
        password = secrets.token_urlsafe(32)
        files.replace(self._password_path(username), password + "\n")
        entries[username] = _Entry(role, hash_password(password))

    def _fits(self, username: str, entry: _Entry) -> bool:
        # a program that died between its two files leaves a password that opens nothing
        try:
            return verify_password(self.kept(username).password, entry.password_hash)
        except UnknownIdentity:
            return False

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Entry]]:
        with files.locked(self._directory / "identities.lock"):
            entries = self._read()
            yield entries
            self._write(entries)
        self.reload()

    def _read(self) -> dict[str, _Entry]:
        try:
            listed = json.loads(self._list_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {
            username: _Entry(Role(entry["role"]), entry["password_hash"])
            for username, entry in listed.items()
        }

    def _write(self, entries: dict[str, _Entry]) -> None:
        listed = {
            username: {"role": entry.role, "password_hash": entry.password_hash}
            for username, entry in sorted(entries.items())
        }
        files.replace(self._list_path, json.dumps(listed, indent=1) + "\n")
        passwords = "".join(f"{username}:{entry.password_hash}\n" for username, entry in entries.items())
        files.replace(self._directory / config.PASSWORDS, passwords)
        roles = {username: entry.role for username, entry in entries.items()}
        files.replace(self._directory / config.RIGHTS, rights.render(roles, self._topics))

    def _password_path(self, username: str) -> Path:
        return self._directory / f"{username}.password"


def hash_password(password: str) -> str:
    """A password as Mosquitto 2 keeps it: `$7$`, PBKDF2 over SHA-512, rounds, salt, digest."""
    return _hashed(password, secrets.token_bytes(12), ROUNDS)


def verify_password(password: str, password_hash: str) -> bool:
    """Whether a password is the one that was hashed."""
    try:
        _, kind, rounds, salt, _ = password_hash.split("$")
        again = _hashed(password, base64.b64decode(salt), int(rounds))
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(again, password_hash)


async def await_active(endpoint: Endpoint, *, within_s: float = 5.0) -> None:
    """Return once the broker lets a NEW identity in, proven by a real CONNECT.

    The client id is the username, so this would end the connection of somebody who is
    connected by that name, and it leaves no session behind.

    Raises:
        ConnectFailed: not within `within_s`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        left = deadline - loop.time()
        session = Session(endpoint, client_id=endpoint.username or "", session_expiry_s=0, clean_start=True)
        try:
            await session.connect(within_s=max(0.1, left))
        except ConnectFailed:
            if left <= ACTIVE_EVERY:
                raise
            await asyncio.sleep(ACTIVE_EVERY)
        else:
            await session.close()
            return


def _hashed(password: str, salt: bytes, rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _checked(names: TypeAdapter[str], name: str, what: str) -> str:
    try:
        return names.validate_python(name)
    except ValidationError as error:
        raise BadName(f"{name!r} is not {what}.") from error

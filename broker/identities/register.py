"""The list of who may connect, in the broker's folder: Mosquitto's password file and ACL follow from it.

The list (`identities.json`) is the truth; the broker's two files are written from it, and a
running broker reads them again without disconnecting anyone whose password stays. Whoever
is shut out, or was removed, keeps a line in the ACL that denies everything: a client
certificate opens the broker without a password.

All functions block on files: call them in a worker thread.
"""

import json
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from broker import config, files, process, rights
from broker.identities import names
from broker.identities.errors import ListUnusable, NameTaken, NotWritten, UnknownIdentity
from broker.identities.passwords import hash_password, new_password, verify_password
from broker.rights import ANYBODY, Role
from schemas.topics import DEFAULT_PREFIX, Topics

logger = logging.getLogger(__name__)

# Its password is another one after every change: whoever gets in with it knows that the
# broker has read that change.
CHANGES = "probe.changes"
KEEPER = "probe.keeper"
PROBES = ("probe.supervisor", "probe.health", CHANGES)
KEPT = (Role.CONTROLLER, Role.PROBE, Role.KEEPER)  # their passwords stay on this machine, in files


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and its password. The password stays out of every `repr`."""

    username: str
    password: str = field(repr=False)


class _State(StrEnum):
    """What a name is worth at present."""

    ACTIVE = "active"
    SUSPENDED = "suspended"  # somebody's, and shut out
    GONE = "gone"  # nobody's, and remembered so that no right comes back by itself


@dataclass(frozen=True, slots=True)
class _Entry:
    role: Role
    password_hash: str = field(repr=False)
    state: _State = _State.ACTIVE


class Identities:
    """The identities of one supervised broker, in its folder."""

    def __init__(self, directory: Path, *, prefix: str = DEFAULT_PREFIX) -> None:
        self.directory = directory
        self._topics = Topics(prefix)
        self._list_path = directory / "identities.json"
        self.keeper_socket = directory.absolute() / config.KEEPER

    def ensure_probes(self) -> None:
        """Make what the broker needs for itself, and write its files."""
        files.make_private_directory(self.directory)
        with self._changing() as entries:
            for name in PROBES:
                self._keep(entries, name, Role.PROBE)
            self._keep(entries, KEEPER, Role.KEEPER)

    def ensure(self, instance: str = "main") -> Credentials:
        """Make the controller's identity at a first start; say it every time.

        The controller's password is kept in a file that only its owner may read. One
        that was lost is replaced.
        """
        username = names.of_controller(instance)
        files.make_private_directory(self.directory)
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
        return self._add(names.of_device(device_id), Role.DEVICE, new_password())

    def add_user(self, username: str, role: Role) -> str:
        """Give a person or program its name and say its password; it is not kept anywhere.

        Raises:
            NameTaken: somebody has that name.
            BadName: not a user's name or not a user's role.
        """
        return self._add(names.of_user(username, role), role, new_password())

    def add_joining(self, invite_id: str, password: str) -> str:
        """Let `join-{invite_id}` in with a password; that name.

        Raises:
            NameTaken: the invitation has been made already.
            BadName: not the id of an invitation.
        """
        username = names.of_joining(invite_id)
        self._add(username, Role.JOINING, password)
        return username

    def check(self, username: str, among: Collection[Role]) -> None:
        """Nothing, for a name that has one of these roles.

        Raises:
            UnknownIdentity: nobody has it.
            NameTaken: somebody of another role has it.
        """
        _known(self._read(), username, among)

    def rotate(self, username: str) -> str:
        """Replace a password and say the new one; who is connected with the old one is thrown out."""
        password = self.rotate_unread(username)
        self.reload()
        return password

    def rotate_unread(self, username: str, *, among: Collection[Role] = ANYBODY) -> str:
        """The same, before a running broker is told: it goes by the old one until `reload`."""
        password = new_password()
        with self._writing() as entries:
            entry = _known(entries, username, among)
            entries[username] = replace(entry, password_hash=hash_password(password))
            if entry.role in KEPT:
                files.replace(self._password_path(username), password + "\n")
        return password

    def suspend(self, username: str, *, among: Collection[Role] = ANYBODY, tell: bool = True) -> None:
        """Shut somebody out who keeps name and password."""
        self._move(username, _State.SUSPENDED, among, tell=tell)

    def resume(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        """Let somebody in again that was shut out."""
        self._move(username, _State.ACTIVE, among, tell=True)

    def remove(self, username: str, *, among: Collection[Role] = ANYBODY, tell: bool = True) -> None:
        """Take a name away; a running broker ends its connection once it was told.

        Raises:
            UnknownIdentity: nobody has it.
            NameTaken: it has none of the roles `among`.
        """
        with self._changing(tell=tell) as entries:
            role = _known(entries, username, among).role
            if role in KEPT or role is Role.JOINING:
                del entries[username]
            else:
                entries[username] = _Entry(role, "", _State.GONE)
        self._password_path(username).unlink(missing_ok=True)

    def all(self) -> dict[str, Role]:
        """Everybody who has a name, by name; also who is shut out at present."""
        return {
            username: entry.role
            for username, entry in sorted(self._read().items())
            if entry.state is not _State.GONE
        }

    def reload(self) -> bool:
        """Have a running broker of this folder read its files again; False when none runs here."""
        return process.reload(self.directory)

    def messenger(self) -> Callable[[], None] | None:
        """What has it read them at once; None when none runs here. See `process.messenger`."""
        return process.messenger(self.directory)

    def is_served(self) -> bool:
        """Whether a broker goes by these files, or will at any moment; it is to be seen that it does."""
        return process.is_supervised(self.directory) or process.running(self.directory) is not None

    def _add(self, username: str, role: Role, password: str) -> str:
        with self._changing() as entries:
            if (taken := _found(entries, username)) is not None:
                raise NameTaken(username, taken.role)
            entries[username] = _Entry(role, hash_password(password))
        logger.info("Added %s %s to the broker", role, username)
        return password

    def _move(self, username: str, state: _State, among: Collection[Role], *, tell: bool) -> None:
        with self._changing(tell=tell) as entries:
            entries[username] = replace(_known(entries, username, among), state=state)

    def _keep(self, entries: dict[str, _Entry], username: str, role: Role) -> None:
        taken = _found(entries, username)
        if taken is not None and taken.role is not role:
            raise NameTaken(username, taken.role)
        if taken is not None and self._fits(username, taken):
            return
        self._renew(entries, username, role)

    def _renew(self, entries: dict[str, _Entry], username: str, role: Role) -> None:
        password = new_password()
        files.replace(self._password_path(username), password + "\n")
        entries[username] = _Entry(role, hash_password(password))

    def _fits(self, username: str, entry: _Entry) -> bool:
        # a program that died between its two files leaves a password that opens nothing
        try:
            return verify_password(self.kept(username).password, entry.password_hash)
        except UnknownIdentity:
            return False

    @contextmanager
    def _changing(self, *, tell: bool = True) -> Iterator[dict[str, _Entry]]:
        with self._writing() as entries:
            yield entries
        if tell:
            self.reload()

    @contextmanager
    def _writing(self) -> Iterator[dict[str, _Entry]]:
        try:
            with files.locked(self.directory / "identities.lock"):
                entries = self._read()
                yield entries
                self._renew(entries, CHANGES, Role.PROBE)
                self._write(entries)
        except OSError as error:
            raise NotWritten(self.directory, error.strerror) from error

    def _read(self) -> dict[str, _Entry]:
        try:
            listed = json.loads(self._list_path.read_text(encoding="utf-8"))
            return {
                username: _Entry(
                    Role(entry["role"]), entry["password_hash"], _State(entry.get("state", "active"))
                )
                for username, entry in listed.items()
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ListUnusable(self._list_path, f"cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError):
            # without the cause: it would take what stands in the file into a traceback
            raise ListUnusable(self._list_path, "is damaged") from None

    def _write(self, entries: dict[str, _Entry]) -> None:
        listed = {
            username: {"role": entry.role, "password_hash": entry.password_hash, "state": entry.state}
            for username, entry in sorted(entries.items())
        }
        # Rights first: the broker reads passwords first, and may do so between the two. Nobody
        # is let in by a new password before the rights are there that go with it.
        roles = {username: entry.role for username, entry in entries.items() if entry.state is _State.ACTIVE}
        shut_out = [username for username in entries if username not in roles]
        passwords = [f"{name}:{entries[name].password_hash}\n" for name in roles]
        files.replace_all(  # a list that says more than the broker's files would never be put into them
            {
                self._list_path: json.dumps(listed, indent=1) + "\n",
                self.directory / config.RIGHTS: rights.render(roles, self._topics, shut_out=shut_out),
                self.directory / config.PASSWORDS: "".join(passwords),
            }
        )

    def _password_path(self, username: str) -> Path:
        return self.directory / f"{username}.password"


def _found(entries: dict[str, _Entry], username: str) -> _Entry | None:
    entry = entries.get(username)
    return None if entry is None or entry.state is _State.GONE else entry


def _known(entries: dict[str, _Entry], username: str, among: Collection[Role]) -> _Entry:
    entry = _found(entries, username)
    if entry is None:
        raise UnknownIdentity(username)
    if entry.role not in among:
        raise NameTaken(username, entry.role)
    return entry

"""A PostgreSQL of the tests' own: a cluster in a new folder, on loopback, and databases in it."""

import base64
import getpass
import hashlib
import hmac
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests import volatile
from tests.ports import free_port

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/local/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)
INSTALL = "sudo apt-get install postgresql"
OWNER = "orion"
STARTED_WITHIN = 30  # seconds
# a cluster that lives as long as the tests do need not survive a power cut
QUICK = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


def program(name: str) -> Path:
    """One of the server's programs, of the newest version there is.

    Raises:
        FileNotFoundError: it is not installed; the message says how to.
    """
    found = [path for place in PLACES for path in Path("/").glob(f"{place[1:]}/{name}")]
    if found:
        return max(found, key=lambda path: [int(part) for part in path.parts if part.isdigit()])
    if (on_path := shutil.which(name)) is not None:
        return Path(on_path)
    raise FileNotFoundError(f"PostgreSQL's {name} is missing: {INSTALL}")


def account() -> str:
    """Who runs the server: it refuses to be run by root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    return next(name for name in ("postgres", "nobody") if _exists(name))


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server that runs, and how to get into it."""

    folder: Path
    port: int
    password: str = field(repr=False)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _connections: list[psycopg.Connection[Any]] = field(default_factory=list)  # one, which is used again

    def url(self, database: str) -> str:
        """The URL of one database, as `ORION_DATABASE_URL` has it."""
        return f"postgresql+psycopg://{OWNER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """A new database; its name."""
        name = f"d{next(self._numbers)}"
        self._do(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever still looks at it."""
        self._do(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Stop the server, as if it were killed."""
        while self._connections:
            self._connections.pop().close()
        _run(self.folder, "pg_ctl", "stop", "--mode=immediate", "--pgdata", str(self.folder / "data"))

    def start(self) -> None:
        """Start it, and return once it takes connections."""
        settings = {
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "listen_addresses": "127.0.0.1",
        }
        options = " ".join(f"-c {name}={value}" for name, value in (QUICK | settings).items())
        _run(
            self.folder,
            *("pg_ctl", "start", f"--timeout={STARTED_WITHIN}", "--wait"),
            *("--pgdata", str(self.folder / "data"), "--log", str(self.folder / "log"), "-o", options),
        )

    def _do(self, statement: sql.Composed) -> None:
        if not self._connections:
            address = self.url("postgres").replace("+psycopg", "")
            self._connections.append(psycopg.connect(address, autocommit=True))
        self._connections[0].execute(statement)


@contextmanager
def cluster(place: Path | None = None) -> Iterator[Cluster]:
    """A server that runs until the block ends; its folder, a new one in `place`, is gone then.

    Without a `place` that is in memory.
    """
    program("initdb")
    with volatile.folder(place) as folder:
        made = Cluster(folder, free_port(), secrets.token_urlsafe(24))
        _initialise(made)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def _initialise(made: Cluster) -> None:
    shutil.chown(made.folder, account())
    password = made.folder / "password"
    password.write_text(_verifier(made.password))
    shutil.chown(password, account())
    _run(
        made.folder,
        "initdb",
        *("--pgdata", str(made.folder / "data"), "--username", OWNER, "--pwfile", str(password)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
        *("--no-sync", "--no-instructions"),
    )


def _verifier(password: str) -> str:
    """The password as the server keeps it (RFC 5802), after one round: a random one needs no 4,096 at each connection."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return "SCRAM-SHA-256$1:{}${}:{}".format(
        *(base64.b64encode(each).decode() for each in (salt, stored, server))
    )


def _run(folder: Path, name: str, *arguments: str) -> None:
    user = account() if os.geteuid() == 0 else None
    # to a file: the server keeps what its starter had open, and a pipe would never end
    with (folder / "said").open("w") as said:
        done = subprocess.run(
            [program(name), *arguments],
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd=folder,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed: {(folder / 'said').read_text()}")

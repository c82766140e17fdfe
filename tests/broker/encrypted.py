"""A broker with all of its listeners, and what it takes to get into the encrypted ones."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from broker import certificates
from broker.certificates import authority, server
from broker.session import Endpoint, Received, Session, tls
from tests.broker.running import RunningBroker, free_port, running_broker

HERE = "127.0.0.1"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class EncryptedBroker:
    """The three listeners of one broker."""

    running: RunningBroker
    folder: Path  # for keys of clients

    @property
    def directory(self) -> Path:
        return self.running.settings.directory

    @property
    def tls_port(self) -> int:
        assert self.running.settings.tls_port is not None
        return self.running.settings.tls_port

    @property
    def cert_port(self) -> int:
        assert self.running.settings.cert_port is not None
        return self.running.settings.cert_port

    def context(self, identity: Path | None = None) -> ssl.SSLContext:
        return tls.context(certificates.ca_pem(self.directory), identity=identity)

    def encrypted(self, endpoint: Endpoint) -> Endpoint:
        """The same name and password, by TLS."""
        return Endpoint(HERE, self.tls_port, endpoint.username, endpoint.password, self.context())

    def issued(self, device_id: str) -> Path:
        """A file with a certificate and its key, as a device would keep it."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = certificates.issue(self.directory, device_id, key.public_key(), now=now())
        path = self.folder / f"{device_id}-{len(list(self.folder.iterdir()))}.pem"
        path.write_text(authority.private_pem(key) + made)
        return path

    def by_certificate(self, identity: Path, username: str | None = None) -> Endpoint:
        password = None if username is None else "not its password"
        return Endpoint(HERE, self.cert_port, username, password, self.context(identity))

    def kept(self) -> x509.Certificate:
        """The broker's own certificate as it is on the disk."""
        made = server.load(self.directory)
        assert made is not None
        return made


@asynccontextmanager
async def encrypted_broker(folder: Path, **more: Any) -> AsyncIterator[EncryptedBroker]:
    keys = folder / "keys"
    keys.mkdir(parents=True)
    ports = {"tls_port": free_port(), "cert_port": free_port()}
    async with running_broker(folder / "data", **(ports | more)) as running:
        yield EncryptedBroker(running, keys)


@asynccontextmanager
async def joined(endpoint: Endpoint, client_id: str | None = None, **how: Any) -> AsyncIterator[Session]:
    session = Session(endpoint, client_id=client_id or endpoint.username or "", **how)
    await session.connect()
    try:
        yield session
    finally:
        await session.close()


async def received(session: Session, number: int, *, within_s: float = 10.0) -> list[Received]:
    """Exactly so many messages, each acknowledged."""
    got: list[Received] = []
    async with asyncio.timeout(within_s):
        while len(got) < number:
            for message in await session.receive(number - len(got)):
                session.ack(message)
                got.append(message)
    return got


@contextmanager
def handshake(port: int, context: ssl.SSLContext, name: str = HERE) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((HERE, port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as connection,
    ):
        yield connection

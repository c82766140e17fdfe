"""A broker with all of its listeners, and what it takes to get into the encrypted ones."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from broker import certificates
from broker.certificates import authority, server
from broker.identities import Identities
from broker.session import Endpoint, Received, Session, tls
from broker.settings import BrokerSettings
from tests.broker.running import RunningBroker, running_broker
from tests.ports import free_port

HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Prepared:
    """How each device gets in by each listener."""

    plain: dict[str, Endpoint]
    encrypted: dict[str, Endpoint]
    by_certificate: dict[str, Endpoint]


def prepared(settings: BrokerSettings, folder: Path, names: Iterable[str]) -> Prepared:
    """Make these devices' places in a broker that has not started yet."""
    assert settings.tls_port is not None
    assert settings.cert_port is not None
    identities = Identities(settings.directory)
    identities.ensure_probes()
    certificates.ensure(settings.directory, certificates.own_names(), now=now())
    ca = certificates.ca_pem(settings.directory)
    made = Prepared({}, {}, {})
    for name in names:
        password = identities.add_device(name)
        identity = a_certificate(settings.directory, folder, name)
        made.plain[name] = Endpoint(HERE, settings.port, name, password)
        made.encrypted[name] = Endpoint(HERE, settings.tls_port, name, password, tls.context(ca))
        context = tls.context(ca, identity=identity)
        made.by_certificate[name] = Endpoint(HERE, settings.cert_port, tls=context)
    return made


def a_certificate(directory: Path, folder: Path, device_id: str) -> Path:
    """A file with a certificate and its key, as a device would keep it."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = certificates.issue(directory, device_id, key.public_key(), now=now())
    path = folder / f"{device_id}-{len(list(folder.iterdir()))}.pem"
    path.write_text(authority.private_pem(key) + made)
    return path


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class EncryptedBroker:
    """The three listeners of one broker."""

    running: RunningBroker
    folder: Path  # for keys of clients
    ca: str

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
        return tls.context(self.ca, identity=identity)

    def encrypted(self, endpoint: Endpoint) -> Endpoint:
        """The same name and password, by TLS."""
        return Endpoint(HERE, self.tls_port, endpoint.username, endpoint.password, self.context())

    def issue(self, device_id: str) -> Path:
        """A file with a certificate and its key, as a device would keep it. Blocks."""
        return a_certificate(self.directory, self.folder, device_id)

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
        ca = await asyncio.to_thread(certificates.ca_pem, running.settings.directory)
        yield EncryptedBroker(running, keys, ca)


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
def handshake(
    port: int, context: ssl.SSLContext, *, ticket: ssl.SSLSession | None = None
) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((HERE, port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=HERE, session=ticket) as connection,
    ):
        yield connection


@asynccontextmanager
async def encrypted_line(port: int) -> AsyncIterator[tuple[str, int]]:
    """Another address that leads to a port here, as a proxy in the middle would have it."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HERE, port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.2", 0) as listening:
        yield listening.sockets[0].getsockname()[:2]

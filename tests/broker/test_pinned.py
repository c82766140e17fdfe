"""Finding out that a broker is the pinned one, against brokers and those who play one."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from broker import certificates, config
from broker.certificates import authority
from broker.session import pinned
from tests.broker.encrypted import HERE, a_certificate, encrypted_broker, encrypted_line, now

NAMES = ("localhost", HERE)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "broker"
    certificates.ensure(made, NAMES, now=now())
    return made


class Server:
    """Shows a chain to everybody, and keeps what it is told after the handshake."""

    def __init__(self, chain: Path | None, *, silent: bool = False) -> None:
        self.heard = bytearray()
        self._silent = silent
        self._context = None
        if chain is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(chain)
        self._socket = socket.create_server((HERE, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._stopped = False

    @contextmanager
    def running(self) -> Iterator["Server"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stopped = True
            socket.create_connection((HERE, self.port)).close()
            self._thread.join()
            self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if self._stopped:
                    return
                connection.settimeout(5)
                try:
                    self._talk(connection)
                except OSError:
                    continue

    def _talk(self, connection: socket.socket) -> None:
        if self._context is not None:
            with self._context.wrap_socket(connection, server_side=True) as encrypted:
                self.heard += encrypted.recv(4096)
            return
        self.heard += connection.recv(4096)
        if self._silent:
            connection.recv(4096)
        else:
            connection.sendall(b"\x20\x03\x00\x00\x00")


def a_chain(directory: Path, path: Path, *names: str, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
    """A server's file: its key, a certificate for `names` and the authority of `directory`."""
    signer = authority.load(directory)
    own = ec.generate_private_key(ec.SECP256R1())
    made = signer.sign(
        x509.CertificateBuilder()
        .subject_name(authority.named("Orion broker"))
        .public_key(own.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False),
        until=now() + timedelta(days=1),
    )
    if key is not None:  # signed by somebody else, under the authority's name
        made = (
            x509.CertificateBuilder()
            .subject_name(made.subject)
            .issuer_name(made.issuer)
            .public_key(own.public_key())
            .serial_number(made.serial_number)
            .not_valid_before(made.not_valid_before_utc)
            .not_valid_after(made.not_valid_after_utc)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
    path.write_text(authority.private_pem(own) + authority.pem(made) + authority.pem(signer.certificate))
    return path


async def test_the_authority_of_a_real_broker_is_found_and_proven(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path) as secure:
        pin = await asyncio.to_thread(certificates.fingerprint, secure.directory)
        for host, code in (
            (HERE, pin),
            ("localhost", pin.upper()),
            (HERE, ":".join(pin[i : i + 2] for i in range(0, 64, 2))),
        ):
            found = await asyncio.to_thread(pinned.fetch_ca, host, secure.tls_port, code)
            assert found == secure.ca


async def test_at_an_address_that_it_is_not_for_its_names_are_said(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path, tls_names=("orion.example.org",)) as secure:
        pin = await asyncio.to_thread(certificates.fingerprint, secure.directory)
        async with encrypted_line(secure.tls_port) as (host, port):
            with pytest.raises(pinned.AnotherName) as caught:
                await asyncio.to_thread(pinned.fetch_ca, host, port, pin)
    said = str(caught.value)
    assert "127.0.0.2" in said
    assert "orion.example.org" in said
    assert "localhost" in said
    assert "ORION_MQTT_TLS_NAMES" in said


def test_another_installations_broker_is_told_nothing(directory: Path, tmp_path: Path) -> None:
    certificates.ensure(tmp_path / "other", NAMES, now=now())
    with (
        Server(tmp_path / "other" / config.SERVER).running() as server,
        pytest.raises(pinned.AnotherAuthority, match="somebody is between you and the broker"),
    ):
        pinned.fetch_ca(HERE, server.port, certificates.fingerprint(directory))
    assert server.heard == b""


def test_who_shows_the_authority_and_is_not_signed_by_it_is_found_out(
    directory: Path, tmp_path: Path
) -> None:
    thief = a_chain(
        directory, tmp_path / "thief.pem", "localhost", key=ec.generate_private_key(ec.SECP256R1())
    )
    with Server(thief).running() as server, pytest.raises(pinned.AnotherAuthority):
        pinned.fetch_ca("localhost", server.port, certificates.fingerprint(directory))
    assert server.heard == b""


def test_a_devices_certificate_does_not_pass_for_the_broker(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    device = a_certificate(directory, tmp_path / "keys", "localhost")
    device.write_text(device.read_text() + certificates.ca_pem(directory))
    with Server(device).running() as server, pytest.raises(pinned.AnotherAuthority):
        pinned.fetch_ca("localhost", server.port, certificates.fingerprint(directory))
    assert server.heard == b""


@pytest.mark.parametrize(("days", "state"), [(-200, "has expired"), (-3000, "is not valid yet")])
def test_a_certificate_of_another_time_is_told_with_the_clock(
    directory: Path, tmp_path: Path, days: int, state: str
) -> None:
    signer = authority.load(directory)
    own = ec.generate_private_key(ec.SECP256R1())
    begin = authority.EPOCH if days == -200 else now() + timedelta(days=10)
    end = begin + timedelta(days=100)
    made = (
        x509.CertificateBuilder()
        .subject_name(authority.named("Orion broker"))
        .issuer_name(signer.certificate.subject)
        .public_key(own.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(authority.signed_by(signer.certificate), critical=False)
        .sign(signer.key, hashes.SHA256())
    )
    chain = tmp_path / "old.pem"
    chain.write_text(authority.private_pem(own) + authority.pem(made) + authority.pem(signer.certificate))
    with (
        Server(chain).running() as server,
        pytest.raises(pinned.AnotherTime, match=rf"{state}, by the clock of this computer \(2"),
    ):
        pinned.fetch_ca("localhost", server.port, certificates.fingerprint(directory))
    assert server.heard == b""


def test_a_port_that_does_not_speak_tls_is_told(directory: Path) -> None:
    with (
        Server(None).running() as server,
        pytest.raises(pinned.NotEncrypted, match="ORION_MQTT_TLS_PORT"),
    ):
        pinned.fetch_ca(HERE, server.port, certificates.fingerprint(directory))
    assert b"MQTT" not in server.heard


def test_one_that_never_answers_is_given_up_in_time(directory: Path) -> None:
    with Server(None, silent=True).running() as server, pytest.raises(pinned.PinFailed):
        pinned.fetch_ca(HERE, server.port, certificates.fingerprint(directory), within_s=0.3)


def test_where_nobody_listens_is_told(directory: Path) -> None:
    with socket.create_server((HERE, 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(pinned.NotReachable, match="ORION_MQTT_TLS_HOST"):
        pinned.fetch_ca(HERE, port, certificates.fingerprint(directory))
    with pytest.raises(pinned.NotReachable):
        pinned.fetch_ca("no-such-host.invalid", port, certificates.fingerprint(directory))


async def test_the_plain_listener_of_a_broker_is_told(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path) as secure:
        pin = await asyncio.to_thread(certificates.fingerprint, secure.directory)
        with pytest.raises(pinned.NotEncrypted):
            await asyncio.to_thread(pinned.fetch_ca, HERE, secure.running.settings.port, pin)


@pytest.mark.parametrize("wrong", ["", "00", "not a fingerprint"])
def test_a_damaged_code_matches_nothing(directory: Path, wrong: str) -> None:
    with Server(directory / config.SERVER).running() as server, pytest.raises(pinned.AnotherAuthority):
        pinned.fetch_ca(HERE, server.port, wrong)
    assert server.heard == b""

"""The encrypted listener, as programs and strangers meet it."""

import asyncio
import os
import select
import signal
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from broker import certificates, config, launch, supervisor
from broker.binary import BrokerUnavailable
from broker.certificates import authority, server
from broker.identities import await_active
from broker.session import (
    Backoff,
    ConnectFailed,
    Endpoint,
    PublishRefused,
    Session,
    Subscription,
    keep_connected,
    tls,
)
from broker.settings import BrokerSettings
from broker.supervisor import Supervisor, supervised
from tests.broker.encrypted import (
    HERE,
    EncryptedBroker,
    encrypted_broker,
    encrypted_line,
    handshake,
    joined,
    now,
    prepared,
    received,
)
from tests.broker.running import RunningBroker
from tests.ports import free_port

EVENT = "orion/v1/devices/a/event"


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[EncryptedBroker]:
    async with encrypted_broker(tmp_path) as broker:
        yield broker


async def until(broker: EncryptedBroker, port: int) -> None:
    """Return once Mosquitto shows the certificate that is on the disk."""
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(certificates.is_served, broker.directory, HERE, port):
            await asyncio.sleep(0.02)


def only(version: ssl.TLSVersion, base: ssl.SSLContext) -> ssl.SSLContext:
    if version < ssl.TLSVersion.TLSv1_2:
        base.set_ciphers("ALL:@SECLEVEL=0")  # our own side must not be what refuses
    base.minimum_version = base.maximum_version = version
    return base


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_modern_tls_is_taken(secure: EncryptedBroker, version: ssl.TLSVersion) -> None:
    def shake() -> str | None:
        with handshake(secure.tls_port, only(version, secure.context())) as connection:
            return connection.version()

    assert (await asyncio.to_thread(shake) or "").replace(".", "_") == version.name


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("port", ["tls_port", "cert_port"])
async def test_tls_1_1_is_refused(secure: EncryptedBroker, port: str) -> None:
    def shake() -> None:
        with handshake(getattr(secure, port), only(ssl.TLSVersion.TLSv1_1, secure.context())):
            pass

    # the server says so: it is not this side that lacks the version
    with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
        await asyncio.to_thread(shake)


async def test_strict_verifiers_are_content(secure: EncryptedBroker) -> None:
    context = secure.context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 asks for by itself

    def shake() -> str | None:
        with handshake(secure.tls_port, context) as connection:
            return connection.version()

    assert await asyncio.to_thread(shake)


async def test_both_listeners_know_the_same_names_and_rights(secure: EncryptedBroker) -> None:
    device = await secure.running.add_device("a")
    async with (
        joined(secure.running.controller) as controller,
        joined(secure.encrypted(device)) as encrypted,
    ):
        await controller.subscribe([Subscription("orion/v1/#")])
        assert await encrypted.publish(EVENT, b"by tls") == 0
        (message,) = await received(controller, 1)
        assert message.payload == b"by tls"
        with pytest.raises(PublishRefused):
            await encrypted.publish("orion/v1/devices/b/event", b"{}")
        await encrypted.subscribe([Subscription("orion/v1/devices/a/command")])
        await controller.publish("orion/v1/devices/a/command", b"by plain")
        (command,) = await received(encrypted, 1)
        assert command.payload == b"by plain"


async def test_a_wrong_password_and_none_are_refused_by_tls_too(secure: EncryptedBroker) -> None:
    await secure.running.add_device("a")
    for username, password in (("a", "guessed"), (None, None)):
        session = Session(
            Endpoint(HERE, secure.tls_port, username, password, secure.context()), client_id="a"
        )
        with pytest.raises(ConnectFailed) as caught:
            await session.connect()
        assert caught.value.not_let_in


async def test_removed_device_is_out_by_tls_too(secure: EncryptedBroker) -> None:
    device = secure.encrypted(await secure.running.add_device("a"))
    async with joined(device) as session, asyncio.timeout(2):
        await asyncio.to_thread(secure.running.identities.remove, "a")
        await session.lost()
    with pytest.raises(ConnectFailed):
        await Session(device, client_id="a").connect()


@pytest.mark.parametrize("encrypted", [False, True])
async def test_client_id_is_bound_to_the_name(secure: EncryptedBroker, *, encrypted: bool) -> None:
    device, thief = [await secure.running.add_device(name) for name in ("a", "thief")]
    if encrypted:
        device, thief = secure.encrypted(device), secure.encrypted(thief)
    async with joined(secure.running.controller) as controller:
        async with joined(device) as first:
            await first.subscribe([Subscription("orion/v1/devices/a/command")])
        await controller.publish("orion/v1/devices/a/command", b"for a only")
        async with joined(thief, client_id="a") as stolen:
            await stolen.subscribe([Subscription("orion/v1/devices/a/command")])
            await controller.publish("orion/v1/devices/thief/ack", b"marker")
            await stolen.subscribe([Subscription("orion/v1/devices/thief/ack")])
            await controller.publish("orion/v1/devices/thief/ack", b"marker")
            (message,) = await received(stolen, 1)
            assert message.payload == b"marker"
        async with joined(device) as again:
            (command,) = await received(again, 1)
            assert command.payload == b"for a only"


async def test_a_take_over_goes_across_listeners(secure: EncryptedBroker) -> None:
    device = await secure.running.add_device("a")
    async with joined(device) as plain, joined(secure.encrypted(device)) as encrypted:
        await asyncio.wait_for(plain.lost(), 2)
        assert encrypted.alive


async def test_our_client_refuses_another_authority(secure: EncryptedBroker, tmp_path: Path) -> None:
    device = await secure.running.add_device("a")
    other = tmp_path / "other"
    await asyncio.to_thread(certificates.ensure, other, ("localhost", HERE), now=now())
    foreign = tls.context(await asyncio.to_thread(certificates.ca_pem, other))
    for context in (foreign, tls.context()):  # also none of the system's
        session = Session(
            Endpoint(HERE, secure.tls_port, device.username, device.password, context), client_id="a"
        )
        with pytest.raises(ConnectFailed, match="certificate verify failed"):
            await session.connect()


async def test_our_client_refuses_a_broker_of_another_name(secure: EncryptedBroker) -> None:
    device = await secure.running.add_device("a")
    # the right certificate, at an address that it is not for
    async with encrypted_line(secure.tls_port) as (host, port):
        wrong = Endpoint(host, port, device.username, device.password, secure.context())
        with pytest.raises(ConnectFailed, match=r"(?i)certificate verify failed.*mismatch"):
            await Session(wrong, client_id="a").connect()


async def test_a_server_that_offers_plain_only_never_sees_a_password() -> None:
    seen = bytearray()
    connections = 0
    serving: set[asyncio.Task[None] | None] = set()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        serving.add(asyncio.current_task())
        seen.extend(await reader.read(4096))
        writer.write(b"\x20\x03\x00\x00\x00")  # "you are in", in MQTT without TLS
        await writer.drain()
        seen.extend(await reader.read(4096))
        writer.close()

    async def never(_session: Session, _connected: object) -> None:
        raise AssertionError("it connected")

    stop = asyncio.Event()
    async with await asyncio.start_server(plain, HERE, 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        endpoint = Endpoint(HERE, port, "a-device", "very-secret", tls.context())
        with pytest.raises(ConnectFailed):
            await Session(endpoint, client_id="a-device").connect(within_s=5)
        trying = asyncio.create_task(
            keep_connected(
                lambda: Session(endpoint, client_id="a-device"),
                never,
                stop=stop,
                backoff=Backoff(first_s=0.01, longest_s=0.01),
            )
        )
        async with asyncio.timeout(20):
            while connections < 5:
                await asyncio.sleep(0.01)
        stop.set()
        await trying
        async with asyncio.timeout(10):  # its end of a line may see a moment later that it is over
            while any(task is not None and not task.done() for task in serving):
                await asyncio.sleep(0.01)

    assert seen
    assert b"very-secret" not in seen
    assert b"a-device" not in seen
    assert b"MQTT" not in seen


def test_a_line_that_is_reset_before_tls_begins_is_not_left_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = socket.create_connection(listening.getsockname())
        peer, _ = listening.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        select.select([line], [], [], 10)
        descriptor = line.fileno()
        with pytest.raises(ConnectionResetError):
            tls.context().wrap_socket(line, server_hostname="localhost")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_there_is_no_way_to_ask_for_less(tmp_path: Path) -> None:
    made = tls.context()

    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made.check_hostname
    assert made.verify_mode == ssl.CERT_REQUIRED
    for nothing in ("", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(tls.Unusable):
            tls.context(nothing)
    with pytest.raises(tls.Unusable):
        tls.context(identity=tmp_path / "absent.pem")


async def test_renewal_loses_no_message_and_nobody_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOOK_EVERY", 0.05)
    async with encrypted_broker(tmp_path) as secure:
        device = secure.encrypted(await secure.running.add_device("a"))
        pid, renewals = secure.running.supervisor.pid, 0
        async with joined(secure.running.controller) as controller, joined(device) as session:
            await controller.subscribe([Subscription(EVENT)])
            sent = []
            for number in range(300):
                sent.append(session.publish(EVENT, str(number).encode()))
                if number % 100 == 50:
                    before = await asyncio.to_thread(secure.kept)
                    await asyncio.to_thread((secure.directory / config.SERVER).unlink)
                    async with asyncio.timeout(10):
                        while not (secure.directory / config.SERVER).exists():
                            await asyncio.sleep(0.01)
                    await until(secure, secure.tls_port)
                    renewals += await asyncio.to_thread(secure.kept) != before
            assert {await each for each in sent} == {0}
            messages = await received(controller, 300)
            assert [message.payload for message in messages] == [
                str(number).encode() for number in range(300)
            ]
            assert session.alive
        assert renewals == 3
        assert secure.running.supervisor.pid == pid
        async with joined(device) as again:
            assert again.alive


async def test_a_certificate_that_was_not_read_is_read_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOOK_EVERY", 0.05)
    async with encrypted_broker(tmp_path) as secure:
        # as if the signal had been lost: made anew by somebody else, and nobody told Mosquitto
        names = server.names_of(await asyncio.to_thread(secure.kept))
        later = now() + timedelta(days=70)
        await asyncio.to_thread(certificates.ensure, secure.directory, names, now=later)
        await until(secure, secure.tls_port)


async def test_a_broken_file_never_makes_the_listener_plain(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path) as secure:
        device = await secure.running.add_device("a")
        await asyncio.to_thread((secure.directory / config.SERVER).write_text, "garbage")
        await asyncio.to_thread(secure.running.identities.reload)
        marker = await secure.running.add_device("b")  # let in: the reload has happened
        assert marker
        async with joined(secure.encrypted(device)) as session:
            assert session.alive  # it goes on with the certificate that it has
        with pytest.raises(ConnectFailed):
            await Session(
                Endpoint(HERE, secure.tls_port, device.username, device.password), client_id="a"
            ).connect()


async def test_restarted_broker_has_the_same_authority(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path) as secure:
        device = secure.encrypted(await secure.running.add_device("a"))
        pid = secure.running.supervisor.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await await_active(device, within_s=10)


async def test_broker_does_not_start_over_a_damaged_authority(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path) as secure:
        settings = secure.running.settings
        path = authority.folder(secure.directory) / "authority.pem"
    await asyncio.to_thread(path.write_text, "half")
    with pytest.raises(BrokerUnavailable, match="Restore it from a backup"):
        await Supervisor(settings).start()


async def test_without_an_encrypted_port_no_certificates_are_made(broker: RunningBroker) -> None:
    assert not (broker.settings.directory / config.CERTIFICATES).exists()


@pytest.mark.parametrize("name", ["tls_port", "cert_port"])
async def test_taken_encrypted_port_is_named(broker: RunningBroker, tmp_path: Path, name: str) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port(), **{name: broker.settings.port})
    with pytest.raises(BrokerUnavailable, match=f"ORION_MQTT_{name.upper()}"):
        await Supervisor(settings).start()


async def test_two_listeners_on_one_port_are_named(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(BrokerUnavailable, match="ORION_MQTT_PORT and ORION_MQTT_TLS_PORT are both"):
        await Supervisor(BrokerSettings(data_dir=tmp_path, port=port, tls_port=port)).start()


@pytest.mark.parametrize("kind", ["tls", "certificate"])
async def test_a_listener_takes_so_many_and_the_others_still_let_in(tmp_path: Path, kind: str) -> None:
    settings = BrokerSettings(
        data_dir=tmp_path / "data",
        port=free_port(),
        tls_port=free_port(),
        cert_port=free_port(),
        max_connections=3,
    )
    # all of it before the start: Mosquitto 2.0.11 forgets its limits at a reload
    made = await asyncio.to_thread(prepared, settings, tmp_path, "abcdefg")
    async with supervised(settings):
        encrypted = made.encrypted if kind == "tls" else made.by_certificate
        full = [Session(encrypted[name], client_id=name) for name in "abcd"]
        for session in full[:3]:
            await session.connect()
        with pytest.raises(ConnectFailed):
            await full[3].connect()
        other = made.by_certificate if kind == "tls" else made.encrypted
        async with joined(made.plain["e"]), joined(other["f"], "f"):
            assert all(session.alive for session in full[:3])
        for session in full:
            await session.close()


async def test_after_a_reload_no_more_than_all_listeners_take_together(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path, max_connections=3) as secure:
        device = secure.encrypted(await secure.running.add_device("a"))  # this was a reload
        held = []
        async with asyncio.timeout(30):
            for _ in range(3 * 3 + launch.OWN_FILES + 20):
                _, writer = await asyncio.open_connection(HERE, secure.running.settings.port)
                held.append(writer)
        pid = secure.running.supervisor.pid
        assert pid is not None
        open_files = await asyncio.to_thread(psutil.Process(pid).num_fds)
        assert open_files <= 3 * 3 + launch.OWN_FILES
        for writer in held:
            writer.close()
        # and it is well again when they are gone
        await await_active(device, within_s=10)
        assert secure.running.supervisor.pid == pid

"""Our client speaks to nobody but its own broker, and never with less than TLS."""

import asyncio
import os
import select
import socket
import ssl
import struct
from pathlib import Path

import pytest

from broker import certificates
from broker.session import Backoff, ConnectFailed, Endpoint, Session, keep_connected, tls
from tests.broker.encrypted import HERE, EncryptedBroker, encrypted_line, now


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

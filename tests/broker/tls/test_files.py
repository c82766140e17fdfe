"""A certificate that was renewed is shown at once, and a damaged one never makes the listener plain."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from broker import certificates, config, supervisor
from broker.binary import BrokerUnavailable
from broker.certificates import authority, server
from broker.identities import await_active
from broker.session import ConnectFailed, Endpoint, Session, Subscription
from broker.supervisor import Supervisor
from tests.broker.encrypted import HERE, EncryptedBroker, encrypted_broker, joined, now, received
from tests.broker.running import RunningBroker
from tests.broker.tls.conftest import EVENT


async def until(broker: EncryptedBroker, port: int) -> None:
    """Return once Mosquitto shows the certificate that is on the disk."""
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(certificates.is_served, broker.directory, HERE, port):
            await asyncio.sleep(0.02)


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

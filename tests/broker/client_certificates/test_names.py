"""The name in the certificate is who it is, and nobody else's certificate is taken."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from broker import certificates, config
from broker.certificates import authority
from broker.session import Endpoint, PublishRefused, Subscription
from tests.broker.client_certificates.devices import COMMAND, EVENT, a_device, refused
from tests.broker.encrypted import HERE, EncryptedBroker, a_certificate, joined, now, received


async def test_the_name_in_the_certificate_is_who_it_is(secure: EncryptedBroker) -> None:
    async with (
        joined(secure.running.controller) as controller,
        joined(await a_device(secure), "lamp") as device,
    ):
        await controller.subscribe([Subscription("orion/v1/#")])
        assert await device.publish(EVENT, b"mine") == 0
        (message,) = await received(controller, 1)
        assert (message.topic, message.payload) == (EVENT, b"mine")
        with pytest.raises(PublishRefused):
            await device.publish("orion/v1/devices/pump/event", b"not mine")
        await device.subscribe([Subscription("orion/v1/devices/+/command")])
        await controller.publish("orion/v1/devices/pump/command", b"not for it")
        await controller.publish(COMMAND, b"for it")
        (command,) = await received(device, 1)
        assert command.payload == b"for it"


@pytest.mark.parametrize("claimed", ["pump", "controller-main"])
async def test_another_name_or_client_id_beside_it_changes_nothing(
    secure: EncryptedBroker, claimed: str
) -> None:
    async with joined(secure.running.controller) as controller:
        async with joined(await a_device(secure, username=claimed), claimed) as device:
            assert controller.alive
            assert await device.publish(EVENT, b"{}") in (0, 0x10)
            for topic in ("orion/v1/devices/pump/event", "orion/v1/devices/pump/command"):
                with pytest.raises(PublishRefused):
                    await device.publish(topic, b"{}")
        assert controller.alive


async def test_a_queued_command_is_not_inherited_by_a_client_id(secure: EncryptedBroker) -> None:
    async with joined(secure.running.controller) as controller:
        async with joined(await a_device(secure), "lamp") as lamp:
            await lamp.subscribe([Subscription(COMMAND)])
        await controller.publish(COMMAND, b"for the lamp")
        async with joined(await a_device(secure, "pump"), "lamp") as thief:
            await thief.subscribe([Subscription("orion/v1/devices/pump/command"), Subscription(COMMAND)])
            await controller.publish("orion/v1/devices/pump/command", b"marker")
            (message,) = await received(thief, 1)
            assert message.payload == b"marker"
        async with joined(await a_device(secure), "lamp") as again:
            (command,) = await received(again, 1)
            assert command.payload == b"for the lamp"


async def test_a_password_does_not_open_this_listener(secure: EncryptedBroker) -> None:
    controller = secure.running.controller
    endpoint = Endpoint(HERE, secure.cert_port, controller.username, controller.password, secure.context())
    assert await refused(endpoint, "controller-main")


async def test_certificates_that_are_not_a_devices_are_refused(
    secure: EncryptedBroker, tmp_path: Path
) -> None:
    own = await asyncio.to_thread(_as_client, secure.directory / config.SERVER, tmp_path / "server.pem")
    assert await refused(secure.by_certificate(own), "Orion broker")
    other = tmp_path / "other"
    await asyncio.to_thread(certificates.ensure, other, ("localhost",), now=now())
    foreign = await asyncio.to_thread(a_certificate, other, tmp_path / "keys", "lamp")
    assert await refused(secure.by_certificate(foreign))
    forged = await asyncio.to_thread(_signed_by_itself, tmp_path / "forged.pem")
    assert await refused(secure.by_certificate(forged))
    assert not await refused(await a_device(secure))


def _as_client(chain: Path, path: Path) -> Path:
    path.write_text(chain.read_text())
    return path


def _signed_by_itself(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(authority.named("lamp"))
        .issuer_name(authority.named("lamp"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(authority.EPOCH)
        .not_valid_after(now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path.write_text(authority.private_pem(key) + authority.pem(made))
    return path

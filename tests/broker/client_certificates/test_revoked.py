"""A device whose certificate was revoked is out, stays out, and leaves nothing behind."""

import asyncio
import ssl
from pathlib import Path

import pytest

from broker import certificates, config, process
from broker.certificates import sessions
from broker.session import ConnectFailed, Session, SessionError, Subscription, Will
from broker.supervisor import supervised
from tests.broker.client_certificates.devices import COMMAND, EVENT, a_device, refused
from tests.broker.encrypted import EncryptedBroker, encrypted_broker, handshake, joined, now, received

CONNECT = b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x04lamp"  # MQTT 5, clean start
PRESENCE = "orion/v1/devices/lamp/presence"


async def test_a_revoked_certificate_is_out_and_stays_out(secure: EncryptedBroker) -> None:
    first, second = await a_device(secure), await a_device(secure)
    pump = await a_device(secure, "pump")
    async with joined(second, "lamp") as lamp, joined(pump, "pump") as other:
        began = asyncio.get_running_loop().time()
        assert await certificates.revoke(secure.directory, "lamp", now=now())
        took = asyncio.get_running_loop().time() - began
        await asyncio.wait_for(lamp.lost(), 1)
        assert took < 2
        for endpoint in (first, second):
            assert await refused(endpoint)
        assert other.alive
        assert not await refused(pump, "pump")


async def test_what_it_publishes_on_an_open_session_is_not_delivered(secure: EncryptedBroker) -> None:
    endpoint = await a_device(secure)
    async with joined(secure.running.controller) as controller:
        await controller.subscribe([Subscription("orion/v1/devices/#")])
        # the strongest stranger: never hangs up, publishes all the time, has a will, and comes back
        will = Will(PRESENCE, b"the will", delay_s=0)
        lamp = Session(endpoint, client_id="lamp", will=will)
        await lamp.connect()
        assert await lamp.publish(EVENT, b"before") == 0
        revoked = False
        after: list[int] = []

        async def go_on() -> None:
            number = 0
            while True:
                number += 1
                session = Session(endpoint, client_id="lamp", will=will)
                try:
                    await session.connect(within_s=2)
                    while True:
                        number += 1
                        was_revoked = revoked
                        await session.publish(EVENT, str(number).encode())
                        if was_revoked:
                            after.append(number)
                except SessionError:
                    await session.close()
                    if revoked:
                        return

        going_on = asyncio.create_task(go_on())
        await received(controller, 50)
        await certificates.revoke(secure.directory, "lamp", now=now())
        revoked = True
        await asyncio.wait_for(going_on, 5)
        assert after == []
        # whatever it said came before; nothing comes after the marker
        await secure.running.add_device("marker")
        await controller.publish("orion/v1/devices/marker/ack", b"marker")
        async with asyncio.timeout(5):
            while (await received(controller, 1))[0].topic != "orion/v1/devices/marker/ack":
                pass
        assert await refused(endpoint)
        with pytest.raises(TimeoutError):
            await received(controller, 1, within_s=0.3)
        await lamp.close()


async def test_what_waits_for_a_revoked_device_is_dropped_and_for_one_on_hold_is_kept(
    secure: EncryptedBroker,
) -> None:
    endpoint = await a_device(secure)
    async with joined(secure.running.controller) as controller:
        async with joined(endpoint, "lamp") as lamp:
            await lamp.subscribe([Subscription(COMMAND)])
        await controller.publish(COMMAND, b"1")
        assert await certificates.hold(secure.directory, "lamp", now=now())
        assert await refused(endpoint)
        await controller.publish(COMMAND, b"2")
        assert await certificates.release(secure.directory, "lamp", now=now())
        async with joined(endpoint, "lamp") as lamp:
            assert [each.payload for each in await received(lamp, 2)] == [b"1", b"2"]
        await controller.publish(COMMAND, b"3")
        await certificates.revoke(secure.directory, "lamp", now=now())
        async with joined(await a_device(secure), "lamp") as lamp:
            await lamp.subscribe([Subscription(COMMAND)])
            await controller.publish(COMMAND, b"4")
            assert [each.payload for each in await received(lamp, 1)] == [b"4"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_ticket_of_an_earlier_connection_does_not_bring_it_back(
    secure: EncryptedBroker, version: ssl.TLSVersion
) -> None:
    identity = await asyncio.to_thread(secure.issue, "lamp")
    context = secure.context(identity)
    context.maximum_version = version

    def shake(ticket: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        """Come in, as far as a client of TLS 1.3 can tell only by being answered."""
        with handshake(secure.cert_port, context, ticket=ticket) as connection:
            connection.sendall(CONNECT)
            answer = connection.recv(4)
            return connection.session, answer[:1] == b"\x20"

    ticket, was_in = await asyncio.to_thread(shake, None)
    assert was_in
    assert (await asyncio.to_thread(shake, ticket))[1]
    await certificates.revoke(secure.directory, "lamp", now=now())

    def listen() -> None:
        # without a word of ours: what is sent to a line that is being closed can swallow the reason
        with handshake(secure.cert_port, context, ticket=ticket) as connection:
            connection.recv(1)

    with pytest.raises(ssl.SSLError, match=r"(?i)revoked"):
        await asyncio.to_thread(listen)


async def test_two_revocations_at_once_both_hold(secure: EncryptedBroker) -> None:
    lamp, pump = await a_device(secure), await a_device(secure, "pump")
    moment = now()
    await asyncio.gather(
        *(certificates.revoke(secure.directory, name, now=moment) for name in ("lamp", "pump"))
    )
    assert await refused(lamp)
    assert await refused(pump, "pump")


async def test_revoked_while_the_broker_is_down_it_is_out_when_it_starts(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path) as secure:
        endpoint = await a_device(secure)
        settings = secure.running.settings
        assert not await refused(endpoint)
    assert await certificates.revoke(settings.directory, "lamp", now=now())
    async with supervised(settings):
        assert await refused(endpoint)


async def test_no_key_of_a_pass_is_left_behind(secure: EncryptedBroker) -> None:
    await a_device(secure)
    await certificates.revoke(secure.directory, "lamp", now=now())
    left = await asyncio.to_thread(
        lambda: {path.name for path in (secure.directory / config.CERTIFICATES).iterdir()}
    )
    assert left == {"authority.pem", "authority.crt", "server.pem", "clients.json", "revoked.pem"}
    assert "PRIVATE" not in repr(sessions.Pass(1, "PRIVATE"))


async def test_a_broker_that_does_not_act_is_told(
    secure: EncryptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_device(secure)
    monkeypatch.setattr(process, "reload", lambda _directory: True)
    with pytest.raises(ConnectFailed, match="list of revoked certificates"):
        await certificates.revoke(secure.directory, "lamp", now=now(), within_s=0.2)

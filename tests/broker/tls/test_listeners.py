"""Each listener has its own port, and takes so many connections and no more."""

import asyncio
from pathlib import Path

import psutil
import pytest

from broker import launch
from broker.binary import BrokerUnavailable
from broker.identities import await_active
from broker.session import ConnectFailed, Session
from broker.settings import BrokerSettings
from broker.supervisor import Supervisor, supervised
from tests.broker.encrypted import HERE, encrypted_broker, joined, prepared
from tests.broker.running import RunningBroker
from tests.ports import free_port


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

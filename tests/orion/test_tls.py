"""Programs that find a broker by `mqtts://`, and an installation's encrypted port."""

import asyncio
import socket
from pathlib import Path

import pytest

from broker import certificates
from broker.identities import await_active
from broker.session import ConnectFailed, Session
from orion.config import programs
from orion.config.sources import ConfigError, load
from tests.broker.encrypted import encrypted_broker
from tests.orion.installation import Installation, running


async def test_mqtts_reaches_the_broker_with_its_authority_and_not_without(tmp_path: Path) -> None:
    async with encrypted_broker(tmp_path / "site") as secure:
        device = await secure.running.add_device("lamp")
        ca = tmp_path / "authority.crt"
        await asyncio.to_thread(ca.write_text, secure.ca)
        url = f"mqtts://lamp:{device.password}@localhost:{secure.tls_port}"
        environment = {"ORION_DATA_DIR": str(tmp_path / "data"), "ORION_MQTT_URL": url}

        told = (await asyncio.to_thread(load, {}, environment | {"ORION_MQTT_CA": str(ca)})).settings
        found = await asyncio.to_thread(programs._endpoint, told)
        await await_active(found)

        told = (await asyncio.to_thread(load, {}, environment)).settings
        unknown = await asyncio.to_thread(programs._endpoint, told)
        assert unknown.tls is not None
        with pytest.raises(ConnectFailed, match="certificate verify failed"):
            await Session(unknown, client_id="lamp").connect()


@pytest.mark.parametrize("content", [None, "", "no certificate", "\x00\x01"])
def test_an_authority_that_cannot_be_used_is_an_error_and_not_the_systems(
    tmp_path: Path, content: str | None
) -> None:
    ca = tmp_path / "authority.crt"
    if content is not None:
        ca.write_text(content)
    environment = {
        "ORION_DATA_DIR": str(tmp_path),
        "ORION_MQTT_URL": "mqtts://lamp:secret@localhost",
        "ORION_MQTT_CA": str(ca),
    }
    with pytest.raises(ConfigError, match="ORION_MQTT_CA") as caught:
        programs._endpoint(load({}, environment).settings)
    assert "secret" not in str(caught.value)


def test_the_broker_is_told_all_that_is_set(tmp_path: Path) -> None:
    environment = {
        "ORION_DATA_DIR": str(tmp_path),
        "ORION_MQTT_TLS_HOST": "192.0.2.1",
        "ORION_MQTT_TLS_NAMES": "orion.example.org,192.0.2.7",
        "ORION_MQTT_CERT_PORT": "8884",
        "ORION_MAX_CONNECTIONS": "12",
    }
    told = programs.for_broker(load({}, environment).settings)
    assert (told.host, told.tls_host, told.tls_port, told.cert_port) == ("127.0.0.1", "192.0.2.1", 8883, 8884)
    assert told.tls_names == ("orion.example.org", "192.0.2.7")
    assert told.max_connections == 12

    without = programs.for_broker(load({}, environment | {"ORION_MQTT_TLS_PORT": "0"}).settings)
    assert without.tls_port is None


def test_a_taken_encrypted_port_is_named_with_its_setting(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    with socket.create_server(("127.0.0.1", installation.mqtt_tls_port)):
        done = installation.orion("broker")
    assert done.returncode == 1
    assert "ORION_MQTT_TLS_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_is_none_is_told_with_its_setting(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    installation.environment["ORION_MQTT_TLS_NAMES"] = "two words"
    done = installation.orion("broker")
    assert done.returncode == 1
    assert "ORION_MQTT_TLS_NAMES" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_installation_makes_its_authority_once(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with running(tmp_path / "home", "--no-node"):
            found.append(certificates.fingerprint(tmp_path / "home" / "data" / "broker"))
    assert found[0] == found[1]
